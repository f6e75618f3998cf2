import seaborn as sns

titanic = sns.load_dataset("titanic")
