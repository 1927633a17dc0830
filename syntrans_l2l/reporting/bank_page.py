"""A bank as one self-contained HTML page: class cards beside sample images of base classes."""

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape

from PIL import Image
from torch import Tensor

from syntrans_l2l.reporting.cards import best_first, remark, summary
from syntrans_l2l.semantics.bank_file import MinedBank
from syntrans_l2l.semantics.descriptors import Descriptor
from syntrans_l2l.semantics.names import readable

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 0 auto; max-width: 1240px; padding: 1rem; }
header p { white-space: pre-line; overflow-wrap: anywhere; color: GrayText; }
input { font: inherit; padding: .4rem .6rem; width: min(24rem, 100%); box-sizing: border-box; }
main { display: grid; gap: 1rem; margin-top: 1rem;
       grid-template-columns: repeat(auto-fill, minmax(min(22rem, 100%), 1fr)); }
article { border: 1px solid var(--line); border-radius: .6rem; padding: .8rem 1rem; }
h2 { font-size: 1.1rem; margin: 0 0 .4rem; }
h2 small { color: GrayText; font-weight: normal; }
figure { display: flex; gap: .4rem; margin: 0 0 .5rem; }
figure img { width: 64px; height: 64px; image-rendering: pixelated; border-radius: .3rem; }
ul { list-style: none; margin: 0; padding: 0; }
li { border-top: 1px solid var(--soft); padding: .3rem 0; overflow-wrap: anywhere; }
li small { display: block; color: GrayText; }
li.kept > span { font-weight: 600; }
li.dropped > span { text-decoration: line-through; }
details { margin-top: .4rem; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font-size: .8rem; }
"""

_SCRIPT = """
const box = document.querySelector("input"), count = document.querySelector("output");
const cards = [...document.querySelectorAll("article")];
const said = card => [...card.querySelectorAll("h2, li > span")].map(part => part.textContent);
const filter = () => {
  const wanted = box.value.toLowerCase();
  for (const card of cards) card.hidden = !said(card).join(" / ").toLowerCase().includes(wanted);
  count.textContent = cards.filter(card => !card.hidden).length + " of " + cards.length;
};
box.addEventListener("input", filter);
box.value = decodeURIComponent(location.hash.slice(1));
filter();
"""


def page(bank: MinedBank, samples: Mapping[str, Sequence[Tensor]]) -> str:
    """The page; what follows `#` in its address is searched for when it opens.

    Args:
        bank: where from.
        samples: images [3, H, W] uint8 by class name, of base classes alone; empty where no
            data set is at hand.
    """
    by_class: dict[str, list[Descriptor]] = {name: [] for name in bank.vectors.class_names}
    for descriptor in bank.descriptors:
        by_class[descriptor.class_name].append(descriptor)
    cards = "\n".join(_card(name, by_class[name], samples.get(name, ())) for name in by_class)
    shown = "Pictures are samples of base classes." if samples else "No pictures were at hand."
    title = f"Descriptors{f' of {bank.dataset}' if bank.dataset else ''}"
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<header>
<h1>{escape(title)}</h1>
<p>{escape(summary(bank))}
{shown}</p>
<input type="search" placeholder="class or phrase" aria-label="class or phrase">
<output></output>
</header>
<main>
{cards}
</main>
<script>{_SCRIPT}</script>
</body>
</html>
"""


def _card(name: str, descriptors: list[Descriptor], pictures: Sequence[Tensor]) -> str:
    spoken = readable(name)
    aside = f" <small>{escape(name)}</small>" if spoken != name.replace("_", " ") else ""
    images = "".join(f'<img src="{_png(picture)}" alt="">' for picture in pictures)
    figure = f"<figure>{images}</figure>\n" if images else ""
    items = "\n".join(
        f'<li class="{"kept" if each.kept else "dropped"}"><span>{escape(each.phrase)}</span>'
        f"<small>{escape(remark(each))}</small></li>"
        for each in best_first(descriptors)
    )
    prompts = "\n\n".join(dict.fromkeys(each.prompt for each in descriptors))
    return f"""<article>
<h2>{escape(spoken)}{aside}</h2>
{figure}<ul>
{items}
</ul>
<details><summary>prompts</summary><pre>{escape(prompts)}</pre></details>
</article>"""


def _png(image: Tensor) -> str:
    """An image [3, H, W] uint8 as a data URL."""
    buffer = io.BytesIO()
    Image.fromarray(image.permute(1, 2, 0).contiguous().numpy()).save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
