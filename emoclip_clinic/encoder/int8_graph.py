"""CLIP's image tower as an ONNX graph of one frame, with its matrix products in 8 bits.

Weights are rounded to 7 bits with a scale an output channel, activations to 8 with a scale a row (a
token of the frame) that is found as they are made: nothing is calibrated, and an outlying token
costs the others nothing. Sums are exact on every processor; norms, softmax, GELU and the stream of
residuals are fp32.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from open_clip.transformer import VisionTransformer
from torch import nn

__all__ = ["Graph", "image_tower", "product"]

MICROSOFT = "com.microsoft"
"""ONNX Runtime's own operators."""
LARGEST = np.float32(127)
"""What the largest activation of a row is rounded to."""
ZERO = np.uint8(128)
"""Stands for an activation of 0: the products take activations without and weights with a sign."""
LARGEST_WEIGHT = np.float32(64)
"""What the largest weight of a channel is rounded to. Processors without VNNI add two products in
16 bits, and saturate: 2 x 255 x 64 = 32,640 is the most that fits."""
TINY = np.float32(1e-30)
"""A row of zeros has a scale too."""
QUICK_GELU = 1.702


def image_tower(tower: VisionTransformer) -> bytes:
    """Write an image tower as an ONNX model: a frame (1, 3, size, size) to its vector (1, dim)."""
    graph = Graph()
    stream, update, bias = _tokens(graph, tower)
    blocks = list(tower.transformer.resblocks)
    for block in blocks:
        normal, stream = _normal(graph, block.ln_1, stream, update, bias)
        mixed = _attention(graph, block.attn, normal)
        if block is blocks[-1]:
            # of the last layer only the class token is read
            mixed, stream = _first(graph, mixed), _first(graph, stream)
        update, bias = _linear(graph, block.attn.out_proj, mixed)
        normal, stream = _normal(graph, block.ln_2, stream, update, bias)
        hidden = graph.add("Add", *_linear(graph, block.mlp.c_fc, normal))
        hidden = graph.add("QuickGelu", hidden, domain=MICROSOFT, alpha=QUICK_GELU)
        update, bias = _linear(graph, block.mlp.c_proj, hidden)
    normal, _ = _normal(graph, tower.ln_post, stream, update, bias)
    vector = graph.add("MatMul", normal, graph.constant(_array(tower.proj)))
    return graph.model([1, 3, *tower.image_size], vector, [1, tower.output_dim])


class Graph:
    """Nodes and constants, in the order in which they are computed."""

    frame = "frame"
    """Name of the input."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, value: npt.ArrayLike) -> str:
        """Add a constant, and give its name."""
        name = f"constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, order="C"), name))
        return name

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add a node, and give its output's name."""
        return self.add_several(1, operator, *inputs, **attributes)[0]

    def add_several(
        self, n: int, operator: str, *inputs: str, domain: str = "", **attributes: Any
    ) -> list[str]:
        """Add a node of n outputs, and give their names."""
        outputs = [f"value{len(self.nodes)}.{number}" for number in range(n)]
        node = helper.make_node(operator, inputs, outputs, domain=domain, **attributes)
        self.nodes.append(node)
        return outputs

    def model(self, taken: list[int], output: str, given: list[int]) -> bytes:
        """Serialise the graph, from the shape that it takes to an output and its shape."""
        first = helper.make_tensor_value_info(self.frame, TensorProto.FLOAT, taken)
        last = helper.make_tensor_value_info(output, TensorProto.FLOAT, given)
        graph = helper.make_graph(self.nodes, "image tower", [first], [last], self.constants)
        versions = [helper.make_opsetid("", 17), helper.make_opsetid(MICROSOFT, 1)]
        # the file format of that version: onnx may be newer than what runs it
        model = helper.make_model(graph, opset_imports=versions, ir_version=8)
        return bytes(model.SerializeToString())


def _tokens(graph: Graph, tower: VisionTransformer) -> tuple[str, str, str]:
    """Embed the class and the patches: the stream (tokens, width), no update and no bias."""
    high, wide = tower.grid_size
    size = tower.patch_size[0]
    cut = graph.constant(np.array([3, high, size, wide, size]))
    patches = graph.add("Transpose", graph.add("Reshape", graph.frame, cut), perm=[1, 3, 0, 2, 4])
    patches = graph.add("Reshape", patches, graph.constant(np.array([high * wide, -1])))
    embedded = product(graph, patches, _array(tower.conv1.weight.flatten(1)))
    first = graph.constant(_array(tower.class_embedding)[None])
    tokens = graph.add("Concat", first, embedded, axis=0)
    places = _array(tower.positional_embedding)
    stream, _ = _normal(graph, tower.ln_pre, tokens, graph.constant(places), "")
    return stream, graph.constant(np.zeros_like(places)), ""


def _normal(
    graph: Graph, norm: nn.LayerNorm, stream: str, update: str, bias: str
) -> tuple[str, str]:
    """Add an update and its bias to the stream; give the sum's norm, and the sum."""
    scale, shift = graph.constant(_array(norm.weight)), graph.constant(_array(norm.bias))
    inputs = (stream, update, scale, shift, bias)
    # five times as fast as ONNX's own norm after a sum
    normal, _, _, total = graph.add_several(
        4, "SkipLayerNormalization", *inputs, domain=MICROSOFT, epsilon=norm.eps
    )
    return normal, total


def _attention(graph: Graph, attention: nn.MultiheadAttention, x: str) -> str:
    """Mix the tokens' values, without the projection after it: (tokens, width) to the same."""
    batch = graph.constant(np.array([0]))
    products = graph.add("Unsqueeze", product(graph, x, _array(attention.in_proj_weight)), batch)
    inputs = (
        *graph.add_several(3, "Split", products, axis=-1),
        graph.constant(_array(attention.in_proj_bias)),
    )
    heads = attention.num_heads
    mixed = graph.add("MultiHeadAttention", *inputs, domain=MICROSOFT, num_heads=heads)
    return graph.add("Squeeze", mixed, batch)


def _first(graph: Graph, x: str) -> str:
    return graph.add("Gather", x, graph.constant(np.array([0])), axis=0)


def _linear(graph: Graph, layer: nn.Linear, x: str) -> tuple[str, str]:
    """Give the product with a layer's weights, and the bias that is still to be added."""
    return product(graph, x, _array(layer.weight)), graph.constant(_array(layer.bias))


def product(graph: Graph, x: str, weight: npt.NDArray[np.float32]) -> str:
    """Multiply rows (rows, k) with weights (n, k), both rounded: (rows, n)."""
    channel_scale = np.maximum(np.abs(weight).max(axis=1), TINY) / LARGEST_WEIGHT
    rounded = np.rint(weight / channel_scale[:, None]).astype(np.int8)
    row_scale = _row_scale(graph, x)
    one, zero = graph.constant(np.float32(1)), graph.constant(ZERO)
    x = graph.add("QuantizeLinear", graph.add("Div", x, row_scale), one, zero)
    inputs = (x, graph.constant(rounded.T), one, graph.constant(channel_scale), zero, "", "")
    product = graph.add("MatMulIntegerToFloat", *inputs, domain=MICROSOFT)
    return graph.add("Mul", product, row_scale)


def _row_scale(graph: Graph, x: str) -> str:
    """Give what the 8-bit numbers of each row are multiples of: (rows, n) to (rows, 1)."""
    largest = graph.add("ReduceMax", graph.add("Abs", x), axes=[-1], keepdims=1)
    largest = graph.add("Max", largest, graph.constant(TINY))
    return graph.add("Div", largest, graph.constant(LARGEST))


def _array(parameter: torch.Tensor) -> npt.NDArray[np.float32]:
    array: npt.NDArray[np.float32] = parameter.detach().numpy()
    return array
