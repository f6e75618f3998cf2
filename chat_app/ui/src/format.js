// Numbers, times and names as people write them.

const METRICS = {
  roc_auc: "ROC-AUC", average_precision: "PR-AUC", log_loss: "Log-loss", balanced_accuracy: "Balanced accuracy",
  accuracy: "Accuracy", f1: "F1", precision: "Precision", recall: "Recall", brier: "Brier score", rmse: "RMSE", mae: "MAE",
  r2: "R²", mape: "MAPE", median_absolute_error: "Median absolute error", multi_logloss: "Log-loss", binary_logloss: "Log-loss",
  l1: "MAE", l2: "MSE", auc: "ROC-AUC",
};

export const metricName = (name) => METRICS[name] ?? (name ? name.replaceAll("_", " ") : "");

const MODELS = { lightgbm: "LightGBM", xgboost: "XGBoost", catboost: "CatBoost", knn: "Nearest neighbours", mlp: "Neural network" };

export const modelName = (name) => MODELS[name] ?? (name ? (name.charAt(0).toUpperCase() + name.slice(1)).replaceAll("_", " ").replace("Lightgbm", "LightGBM") : "");

/** What a script says of its progress, with the names that people see elsewhere. */
export const progressText = (text) => text.replace(/^[a-z_]+(?=,|$| )/, modelName);

/** Three decimals for scores, fewer for big values. */
export function number(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  const size = Math.abs(value);
  if (size >= 1e6) return value.toLocaleString("en", { notation: "compact", maximumFractionDigits: 2 });
  if (size >= 1000) return value.toLocaleString("en", { maximumFractionDigits: 0 });
  if (size >= 10) return value.toLocaleString("en", { maximumFractionDigits: 2 });
  if (size !== 0 && size < 0.001) return value.toExponential(2);
  return value.toLocaleString("en", { minimumFractionDigits: 3, maximumFractionDigits: 3 });
}

export const count = (value) => (value ?? 0).toLocaleString("en");

export const plural = (value, one, many = `${one}s`) => `${count(value)} ${value === 1 ? one : many}`;

export function seconds(value) {
  if (value === null || value === undefined) return "";
  if (value < 10) return `${value.toFixed(1)} s`;
  if (value < 120) return `${Math.round(value)} s`;
  return `${Math.floor(value / 60)} min ${String(Math.round(value % 60)).padStart(2, "0")} s`;
}

export function bytes(value) {
  if (value < 1024) return `${value} B`;
  if (value < 1024 ** 2) return `${(value / 1024).toFixed(0)} KB`;
  return `${(value / 1024 ** 2).toFixed(1)} MB`;
}

export const clock = (iso) => (iso ? new Date(iso).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }) : "");

/** In the unit of the configured prices, which nobody has told us. */
export const money = (value) => (value >= 0.1 ? value.toFixed(2) : Number(value.toPrecision(2)).toString());
