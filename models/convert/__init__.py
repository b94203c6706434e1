"""Weights that are changed on their way in, by code that anybody can run again; cards pin what it makes.

It needs no `onnx` package: an ONNX file is a few kinds of protobuf messages.
"""
