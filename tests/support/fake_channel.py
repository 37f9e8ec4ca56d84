"""The beginning of every fake cell process: its spec, and its end of the channel."""

from __future__ import annotations

CHANNEL = r"""
# Thousands of these start: the modules json, socket, signal and pathlib take longer than all the rest.
import os, sys, time
from _json import encode_basestring_ascii

def loads(text):
    return eval(text, {"true": True, "false": False, "null": None})  # of the harness and its tests alone

def load(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return loads(file.read())

def dumps(value):
    if isinstance(value, dict):
        return "{" + ",".join(dumps(key) + ":" + dumps(each) for key, each in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(dumps, value)) + "]"
    if isinstance(value, str):
        return encode_basestring_ascii(value)
    return {"None": "null", "True": "true", "False": "false"}.get(repr(value), repr(value))

def write(data):
    while data:
        data = data[os.write(channel, data):]

def send(event, **fields):
    write(dumps({"event": event, **fields}).encode() + b"\n")

def hear():
    line = commands.readline()
    if not line:
        sys.exit(7)
    return loads(line)

spec = load(sys.argv[1])
place = os.environ.get("LAB", spec["search_path"][0])
channel = int(os.environ.pop("HARNESS_CHANNEL_FD"))
commands = open(channel, encoding="utf-8", closefd=False)
"""
