import statsmodels.api as sm
from statsmodels.iolib.smpickle import load_pickle

sm.load("inputs/a.pkl")
load_pickle("inputs/b.pkl")
