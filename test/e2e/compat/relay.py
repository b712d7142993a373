#!/usr/bin/env python3
"""
Stands for the program `walbc`: hands its words to the test, which runs them in its own process, and
passes on what comes back. Starting the program hundreds of times would take a minute.

    WALBC_RELAY=SOCKET relay.py WORD...
"""
import json
import os
import socket
import sys

with socket.socket(socket.AF_UNIX) as connection:
    connection.connect(os.environ["WALBC_RELAY"])
    connection.sendall(json.dumps(sys.argv[1:]).encode() + b"\n")
    answer = json.loads(connection.makefile().readline())
sys.stdout.write(answer["stdout"])
sys.stderr.write(answer["stderr"])
sys.exit(answer["code"])
