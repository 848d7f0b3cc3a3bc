# SPDX-License-Identifier: Apache-2.0
"""Trains the topologies and converts them to full-integer int8 ``.tflite`` files. Needs TensorFlow 2.15 (the extra ``assets``)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from . import topologies


def prepare(seed: int, threads: int) -> None:
    """Seed the initial weights and bound TensorFlow's threads; call it before a model is made."""
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    keras.utils.set_random_seed(seed)


def _schedule(rate: float, steps: int) -> keras.optimizers.schedules.LearningRateSchedule:
    return keras.optimizers.schedules.CosineDecay(rate, steps)


def train_classifier(
    name: str,
    images: np.ndarray,
    labels: np.ndarray,
    epochs: int,
    *,
    rate: float,
    augment: Callable[..., np.ndarray],
    seed: int,
    threads: int,
) -> keras.Model:
    """A trained model of topology ``name``.

    Args:
        name: ``kws``, ``ic`` or ``ic02``.
        images: inputs, first axis = sample, any dtype.
        labels: int64 classes.
        epochs: passes over the data.
        rate: learning rate at the start (Adam, cosine decay to 0).
        augment: (rng, batch) -> float32 batch as the model takes it.
        seed: of order, augmentation and initial weights.
        threads: for TensorFlow.
    """
    prepare(seed, threads)
    rng = np.random.default_rng(seed)
    model = getattr(topologies, name)()
    batch = 64
    steps = len(images) // batch
    model.compile(keras.optimizers.Adam(_schedule(rate, steps * epochs)), "sparse_categorical_crossentropy", metrics=["accuracy"])
    for epoch in range(epochs):
        order = rng.permutation(len(images))
        model.reset_metrics()
        for step in range(steps):
            chosen = order[step * batch : (step + 1) * batch]
            result = model.train_on_batch(augment(rng, images[chosen]), labels[chosen], reset_metrics=False)
        print(f"{name} epoch {epoch + 1}/{epochs}: loss {result[0]:.4f} accuracy {result[1]:.4f}", flush=True)
    return model


def train_detector(
    model: keras.Model,
    data: dict[str, np.ndarray],
    epochs: int,
    *,
    rate: float,
    augment: Callable[..., tuple[np.ndarray, np.ndarray]],
    seed: int,
) -> keras.Model:
    """The model (topology ``vww``) trained further, helped by a second task that is thrown away: where in the scene is the person?

    From "yes" or "no" alone the network needs many times more scenes until it finds what they have in common.

    Args:
        model: fresh or trained before.
        data: ``inputs``, ``labels`` and ``where`` as scenes.training_set makes them.
        epochs: passes over the data.
        rate: learning rate at the start (Adam, cosine decay to 0).
        augment: (rng, inputs, where) -> float32 inputs as the model takes them, and the cells that fit them.
        seed: of order and augmentation.
    """
    rng = np.random.default_rng(seed)
    cells = data["where"].shape[1:3]
    features = [layer.output for layer in model.layers if layer.output.shape[1:3] == cells][-1]
    seen = keras.layers.Conv2D(1, 1, activation="sigmoid")(features)
    both = keras.Model(model.input, [model.output, seen])
    batch = 48
    steps = len(data["inputs"]) // batch
    losses = ["sparse_categorical_crossentropy", "binary_crossentropy"]
    both.compile(keras.optimizers.Adam(_schedule(rate, steps * epochs)), losses, loss_weights=[1.0, 3.0], metrics=[["accuracy"], []])
    for epoch in range(epochs):
        order = rng.permutation(len(data["inputs"]))
        both.reset_metrics()
        for step in range(steps):
            chosen = order[step * batch : (step + 1) * batch]
            inputs, where = augment(rng, data["inputs"][chosen], data["where"][chosen])
            result = both.train_on_batch(inputs, [data["labels"][chosen], where], reset_metrics=False)
        print(f"vww epoch {epoch + 1}/{epochs}: {dict(zip(both.metrics_names, np.round(result, 4), strict=True))}", flush=True)
    return model


def train_autoencoder(windows: np.ndarray, epochs: int, *, seed: int, threads: int) -> keras.Model:
    """The ``ad`` topology trained to repeat float32 windows of shape (n, 640)."""
    prepare(seed, threads)
    model = topologies.ad()
    steps = len(windows) // 512 * epochs
    model.compile(keras.optimizers.Adam(_schedule(2e-3, steps)), "mse")
    model.fit(windows, windows, batch_size=512, epochs=epochs, verbose=2)
    return model


def to_int8(model: keras.Model, representative: Iterable[np.ndarray], path: Path) -> None:
    """Write the model as a ``.tflite`` whose weights, activations, input and output are int8, calibrated with the given inputs."""
    # Not from a function with a batch of one: its constant shapes let the converter drop the RESHAPE that the reference models have.
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([np.asarray(item, np.float32)[None]] for item in representative)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8
    path.write_bytes(converter.convert())
