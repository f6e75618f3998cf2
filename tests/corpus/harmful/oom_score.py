from pathlib import Path

Path(f"/proc/{1}/oom_score_adj").write_text("1000")
