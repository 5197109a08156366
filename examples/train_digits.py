"""Train a small network to read handwritten digits: `pip install scikit-learn`, then `python examples/train_digits.py [--plot loss.png]`.

scikit-learn's digits are 1797 images of 8 x 8 pixels, which come with the package. A fifth of them is kept for the test.
"""

import argparse
import time

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

import runtime
from runtime import nn, optim


def digits(seed):
    """Images and labels for training, and for the test."""
    from sklearn.datasets import load_digits

    data = load_digits()
    order = np.random.default_rng(seed).permutation(len(data.target))
    images = runtime.from_numpy((data.images[order] / 16).astype(np.float32)).unsqueeze(1)
    labels = runtime.from_numpy(data.target[order].astype(np.int64))
    n = len(order) * 4 // 5
    return (images[:n], labels[:n]), (images[n:], labels[n:])


def network():
    """Two convolutions and two linear layers."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(32 * 4 * 4, 64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, 10),
    )  # fmt: skip


def accuracy(model, images, labels):
    """The fraction of images that the model reads as their labels."""
    model.eval()
    with runtime.no_grad():
        return (model(images).argmax(1) == labels).float().mean().item()


def train(model, images, labels, epochs, batch, progress):
    """Change the parameters by the gradients of batches; the loss of each batch is returned."""
    optimizer = optim.AdamW(model.parameters(), lr=3e-3)
    steps = -(-len(labels) // batch)
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, epochs=epochs, steps_per_epoch=steps)
    criterion = nn.CrossEntropyLoss()
    losses = []
    task = progress.add_task("training", total=epochs * steps, loss=float("nan"))
    model.train()
    for _ in range(epochs):
        for rows in runtime.randperm(len(labels)).split(batch):
            optimizer.zero_grad()
            loss = criterion(model(images[rows]), labels[rows])
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
            progress.update(task, advance=1, loss=losses[-1])
    return losses


def plot(losses, path):
    """Draw the losses of the batches, and their running mean."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4))
    axes.semilogy(losses, alpha=0.4, label="batch")
    axes.semilogy(np.convolve(losses, np.ones(20) / 20, "valid"), label="mean of 20")
    axes.set(xlabel="step", ylabel="cross entropy")
    axes.legend()
    figure.savefig(path, dpi=120, bbox_inches="tight")


def main():
    parser = argparse.ArgumentParser(description="Train a small network to read handwritten digits.")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--plot", metavar="PATH", help="draw the loss to a file (needs matplotlib)")
    options = parser.parse_args()

    runtime.manual_seed(options.seed)
    training, test = digits(options.seed)
    model = network()
    print(model)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("loss {task.fields[loss]:.4f}"))
    start = time.perf_counter()
    with Progress(*columns, TimeElapsedColumn()) as progress:
        losses = train(model, *training, options.epochs, options.batch, progress)
    seconds = time.perf_counter() - start
    print(f"{sum(p.numel() for p in model.parameters())} parameters, {len(losses)} steps in {seconds:.1f} s")
    print(f"accuracy: {accuracy(model, *training):.2%} of the training digits, {accuracy(model, *test):.2%} of the test digits")
    if options.plot:
        plot(losses, options.plot)


if __name__ == "__main__":
    main()
