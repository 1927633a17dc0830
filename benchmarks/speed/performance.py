"""The table in docs/performance.md of what benchmarks/speed/throughput.py measured."""

from typing import Any

from syntrans_l2l.reporting.grid import Grid

# what a row of the table is called, and what was aimed at on two cores
ROWS = {
    "ratio_l2l": ("ours / learn2learn NWays + KShots", "at least 50"),
    "ratio_l2l_descriptions": ("the same, ours with learn2learn's descriptions", "at least 25"),
    "ratio_l2l_fused": ("ours / learn2learn FusedNWaysKShots", "at least 12"),
    "ratio_easyfsl": ("ours / easyfsl, its sampling not timed", "at least 20"),
    "ratio_easyfsl_method": ("ours / easyfsl, neither sampling nor loading timed", ""),
    "fraction_of_memory_limit": ("ours / plain copy of the bytes gathered", "at least 0.35"),
    "seconds_syntrans_and_protonet": ("SynTrans and ProtoNet, seconds", "at most 6"),
    "seconds_stages_3_and_4": ("fitting SynTrans: stages 3 and 4, seconds", "at most 60"),
}


def table(result: dict[str, Any]) -> Grid:
    """What the page shows of a measurement."""
    size, versions = result["size"], result["versions"]
    rows = []
    for key, (name, aim) in ROWS.items():
        low, high = result["spread"][key]
        rows.append([name, f"{result[key]:.3g}", f"{low:.3g} to {high:.3g}", aim])
    peak, imported = (result[f"{name}_memory_bytes"] / 2**30 for name in ("peak", "imported"))
    rows.append([f"peak memory, {size['streamed']:,} episodes streamed, GiB", f"{peak:.2f}",
                 f"{imported:.2f} after import", "at most 1.5"])  # fmt: skip
    rate = result["episodes_per_second"]
    rows.append(["ProtoNet, sampling included, episodes/s", f"{rate:,.0f}", "", ""])
    named = ", ".join(f"{name} {version}" for name, version in versions.items())
    caption = (
        f"{size['ways']}-way {size['shots']}-shot, {size['queries']} queries a class, "
        f"{size['classes']} classes of "
        f"{size['images']} images, D = {size['width']}; medians of {size['rounds']} rounds, least "
        f"and greatest beside them; SynTrans and ProtoNet over {size['both']:,} episodes, "
        f"{size['both_rounds']} rounds; fitting on {size['base_classes']} base classes of "
        f"{size['images']} images, {size['fits']} rounds. "
        f"{result['machine']}, {result['date']}; {named}."
    )
    return Grid(caption, ["", "measured", "spread", "aim"], [rows])
