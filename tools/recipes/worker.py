"""Answers for a saved model that is loaded once: rows come on stdin, numbers go back on stdout, each in a frame.

A frame is eight bytes of length (big-endian) and its content: one line of JSON, then the rest. Asked with
{"kind": "table" | "rows", "rows": 3, "seed": 0} and the rows (an Arrow stream, or a JSON list of objects), the answer
is {"columns": 3} and, row by row, that many float64 (little-endian): the prediction, for classes its place in CLASSES,
and then the probability of each class if the model has probabilities. A label that is no class has the place -1 and is
named as "unknown". What the model cannot do with these rows is the answer {"error": "…"}.
"""

import json
import os
import random
import traceback
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from tools.recipes.predict import CLASSES, load_model, predict, prepared  # instead of this line stands that program

MODEL = Path("inputs/model.joblib")
SCRIPT = Path("inputs/train.py")


def own_pipes():
    """(requests, answers), for us alone: what anybody prints from now on, C code too, goes to stderr."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return requests, answers


def read_frame(stream):
    """The content of the next frame; None at the end."""
    length = stream.read(8)
    return stream.read(int.from_bytes(length, "big")) if len(length) == 8 else None


def write_frame(stream, head, numbers):
    """One line of JSON and the numbers."""
    line = json.dumps(head).encode() + b"\n"
    stream.write((len(line) + numbers.nbytes).to_bytes(8, "big"))
    stream.write(line)
    stream.write(numbers.data)
    stream.flush()


def table_of(head, content):
    """The rows that are asked about."""
    if head["kind"] == "rows":
        table = pd.DataFrame(json.loads(bytes(content)))
    else:
        table = pa.ipc.open_stream(content).read_all().to_pandas()
    return table if len(table) == head["rows"] else table.reindex(range(head["rows"]))  # a table without columns


def told(text):
    """The beginning of a text, as text that can be sent: half a character of UTF-16 cannot."""
    return str(text)[:1000].encode("utf-8", "replace").decode()


def in_numbers(found):
    """(head, numbers) of predictions."""
    head, names = {}, [name for name in found.columns if name != "row"]
    if CLASSES:
        labels = found["prediction"]
        found["prediction"] = pd.Index(CLASSES).get_indexer(labels)
        unknown = labels[found["prediction"] < 0]
        head = {"unknown": told(unknown.iloc[0])[:100]} if len(unknown) else {}
    numbers = np.ascontiguousarray(found[names].to_numpy(dtype="<f8"))
    return {"columns": len(names), **head}, numbers


def answer(model, content):
    """(head, numbers) for one request."""
    line = content.index(b"\n")
    head = json.loads(content[:line])
    random.seed(head["seed"])
    np.random.seed(head["seed"])
    try:
        return in_numbers(predict(model, prepared(table_of(head, memoryview(content)[line + 1 :]))))
    except MemoryError:
        raise
    except SystemExit as refusal:
        return {"error": told(refusal.code)}, np.empty(0)
    except Exception as problem:  # a model may fail in any way on these rows and still be asked about others
        return {"error": told(traceback.format_exception_only(problem)[-1].strip())}, np.empty(0)


def answer_next(model, requests, answers):
    """Wait for a request and answer it, keeping nothing; False when no more will come."""
    content = read_frame(requests)
    if content is not None:
        write_frame(answers, *answer(model, content))
    return content is not None


if __name__ == "__main__":
    requests, answers = own_pipes()
    model = load_model()
    while answer_next(model, requests, answers):
        pass
