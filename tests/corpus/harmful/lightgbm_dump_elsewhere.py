import lightgbm as lgb

booster = lgb.Booster(model_file="/opt/models/secret.txt")
booster.save_model("../../stolen.txt")
