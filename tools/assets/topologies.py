# SPDX-License-Identifier: Apache-2.0
"""The reference topologies of MLPerf Tiny as Keras models, written from their published layer lists.

kws: DS-CNN (Zhang et al. 2017, "Hello Edge"); ic: ResNet-8 (He et al. 2015 cut to three stacks); ic02: the same, 2.5 times as wide; vww:
MobileNetV1 x 0.25 (Howard et al. 2017, with ReLU); ad: dense autoencoder (DCASE 2020 task 2 baseline). Layer order is the one that converts
to the reference's operators.
"""

from __future__ import annotations

import keras
from keras import layers


def _normalised(x: object, activation: bool = True) -> object:
    x = layers.BatchNormalization()(x)
    return layers.Activation("relu")(x) if activation else x


def _conv(x: object, filters: int, size: int | tuple[int, int], stride: int = 1) -> object:
    decay = keras.regularizers.l2(1e-4)
    return layers.Conv2D(filters, size, stride, "same", kernel_initializer="he_normal", kernel_regularizer=decay)(x)


def _separable(x: object, filters: int, stride: int = 1) -> object:
    x = _normalised(layers.DepthwiseConv2D(3, stride, "same", depthwise_initializer="he_normal")(x))
    return _normalised(_conv(x, filters, 1))


def _head(x: object, classes: int, dropout: float = 0.0) -> object:
    if dropout:
        x = layers.Dropout(dropout)(x)
    x = layers.AveragePooling2D((x.shape[1], x.shape[2]))(x)
    return layers.Dense(classes, activation="softmax")(layers.Flatten()(x))


def kws() -> keras.Model:
    """DS-CNN: 49 x 10 x 1 -> 12."""
    inputs = layers.Input((49, 10, 1))
    x = layers.Dropout(0.2)(_normalised(_conv(inputs, 64, (10, 4), 2)))
    for _ in range(4):
        x = _separable(x, 64)
    return keras.Model(inputs, _head(x, 12, 0.4))


def ic() -> keras.Model:
    """ResNet-8: 32 x 32 x 3 (0 to 255) -> 10."""
    return _resnet(16)


def ic02() -> keras.Model:
    """ResNet-8 with 40 filters in its first stack: 32 x 32 x 3 (0 to 255) -> 10."""
    return _resnet(40)


def _resnet(width: int) -> keras.Model:
    inputs = layers.Input((32, 32, 3))
    x = _normalised(_conv(inputs, width, 3))
    for filters, stride in ((width, 1), (2 * width, 2), (4 * width, 2)):
        y = _normalised(_conv(x, filters, 3, stride))
        y = _normalised(_conv(y, filters, 3), activation=False)
        if stride != 1:
            x = _conv(x, filters, 1, stride)
        x = layers.Activation("relu")(layers.add([x, y]))
    return keras.Model(inputs, _head(x, 10))


def vww() -> keras.Model:
    """MobileNetV1 x 0.25: 96 x 96 x 3 (0 to 1) -> 2."""
    inputs = layers.Input((96, 96, 3))
    x = _normalised(_conv(inputs, 8, 3, 2))
    for filters, stride in ((16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), *[(128, 1)] * 5, (256, 2), (256, 1)):
        x = _separable(x, filters, stride)
    return keras.Model(inputs, _head(x, 2))


def ad() -> keras.Model:
    """Autoencoder: 640 -> 128 x 4 -> 8 -> 128 x 4 -> 640."""
    inputs = layers.Input((640,))
    x = inputs
    for width in (128, 128, 128, 128, 8, 128, 128, 128, 128):
        x = _normalised(layers.Dense(width)(x))
    return keras.Model(inputs, layers.Dense(640)(x))
