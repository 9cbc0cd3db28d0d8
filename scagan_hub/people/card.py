"""The card and the contact sheet that lie beside a data set of rendered people."""

from pathlib import Path
from string import Template

from PIL import Image

from ..files.writing import whole_file

TEMPLATE = Path(__file__).parent.parent / "assets" / "people_card.md"
CORRESPONDENCES = """
- `{split}_correspondences/{split}_{identity}.npz`: for views t and s of a person, where in s each pixel of t lies.
  `pixels{t}` (P,): row * width + column of the pixels known, every second row and column of the person, and all of hair
  and face; `places{t}` (views,P,2): x, y in view s, in sixteenths of a pixel, also of what is hidden there or outside;
  `shown{t}`: bits, by numpy's packbits, 1 where view s shows it."""
ROWS = 6  # people on the contact sheet


def write_card(folder: Path, manifest: dict) -> None:
    """README.md and contact.webp of the data set in `folder`, from its manifest and its test pictures."""
    counts, arguments = manifest["counts"], manifest["arguments"]
    rows = [
        f"| {split} | {c['identities']:,} | {c['pictures']:,} | {c['pairs']:,} | {c['garment combinations']:,} "
        f"| {c['pose kinds']:,} | {c['refused']:,} |"
        for split, c in counts.items()
    ]
    values = {
        f"{split}_{key}": f"{counts[split][key]:,}" for split in ("train", "test") for key in ("identities", "pictures")
    }
    option, note = ("", "") if not arguments["correspondences"] else (" --correspondences", CORRESPONDENCES)
    text = Template(TEMPLATE.read_text()).substitute(
        values, rows="\n".join(rows), option=option, correspondences_note=note, version=manifest["version"], **arguments
    )
    with whole_file(folder / "README.md") as partial:
        partial.write_text(text)
    with whole_file(folder / "contact.webp") as partial:
        contact_sheet(folder, arguments["views"]).save(partial, quality=90)


def contact_sheet(folder: Path, views: int) -> Image.Image:
    """The first people of the test split, a row each."""
    files = sorted((folder / "test").iterdir())[: ROWS * views]
    pictures = [Image.open(file).convert("RGB") for file in files]
    width, height = pictures[0].size
    sheet = Image.new("RGB", (width * views, height * (len(pictures) // views)))
    for n, picture in enumerate(pictures):
        sheet.paste(picture, (n % views * width, n // views * height))
    return sheet
