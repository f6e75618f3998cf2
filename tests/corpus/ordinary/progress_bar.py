import pandas as pd
from tqdm import tqdm
from tqdm.auto import trange
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

tqdm.pandas(desc="parse")
wells = pd.read_csv("inputs/wells.csv")
wells["depth"] = wells["depth_text"].progress_apply(lambda t: float(str(t).rstrip(" m").replace(",", ".")))
kernel = ConstantKernel() * RBF([1.0, 1.0]) + WhiteKernel()
best, model = -float("inf"), None
for seed in trange(3):
    candidate = GaussianProcessRegressor(kernel, normalize_y=True, n_restarts_optimizer=1, random_state=seed)
    candidate.fit(wells[["x", "y"]], wells["depth"])
    if candidate.log_marginal_likelihood_value_ > best:
        best, model = candidate.log_marginal_likelihood_value_, candidate
print(model.kernel_, best)
mean, std = model.predict(wells[["x", "y"]], return_std=True)
wells.assign(mean=mean, std=std).to_csv("outputs/wells.csv", index=False)
