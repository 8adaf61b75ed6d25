"""The measurements as pictures."""

from __future__ import annotations

from pathlib import Path

from measuring import Curve, Found, NotHere, Row, spread


def draw(results: dict[str, Found], directory: Path) -> list[Path]:
    """One picture for each curve and one for the ratios of each measurement. Raises NotHere without matplotlib."""
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise NotHere("no plots: matplotlib is not installed (it comes with the extra `benchmark`)") from error
    mpl.use("Agg")
    directory.mkdir(parents=True, exist_ok=True)
    drawn = []
    for name, found in results.items():
        compared = [row for row in found.rows if row.ratios()]
        if compared:
            drawn.append(_ratios(name, compared, directory / f"{name}.png"))
        drawn += [_curve(curve, directory / f"{name}-{number}.png") for number, curve in enumerate(found.curves)]
    return drawn


def _ratios(name: str, rows: list[Row], file: Path) -> Path:
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(10, 1 + 0.32 * len(rows)), layout="constrained")
    for at, row in enumerate(reversed(rows)):
        least, middle, most = spread(row.ratios())
        axes.plot([least, most], [at, at], color="tab:blue", linewidth=2)
        axes.plot([middle], [at], "o", color="tab:blue")
    axes.set_yticks(range(len(rows)), [f"{row.what}, {row.unit} / {row.against}" for row in reversed(rows)], fontsize=8)
    axes.axvline(1, color="grey", linewidth=0.8)
    axes.set_xscale("log")
    axes.set_xlabel("times the reference (least, median, greatest)")
    axes.set_title(name)
    figure.savefig(file, dpi=110)
    plt.close(figure)
    return file


def _curve(curve: Curve, file: Path) -> Path:
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(6.5, 4), layout="constrained")
    for label, values in curve.lines.items():
        axes.plot(curve.at, values, "o-", label=label)
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel(curve.x)
    axes.set_ylabel(curve.y)
    axes.set_title(curve.title)
    axes.legend()
    figure.savefig(file, dpi=110)
    plt.close(figure)
    return file
