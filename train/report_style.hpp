// The looks of a report, beside what all pages share.
#pragma once

namespace lintel::train {

/// The style sheet that `report_html` adds to that of `html_page`.
inline constexpr const char* report_style = R"css(
.figures { display: flex; flex-wrap: wrap; gap: 12px; }
.figures div { padding: 12px 18px; min-width: 128px; }
.figures b { display: block; font-size: 24px; line-height: 1.25; font-weight: 650; }
.figures span, .legend, figcaption + .none { color: var(--quiet); font-size: 13px; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(440px, 100%), 1fr)); gap: 16px; }
.legend { display: flex; flex-wrap: wrap; gap: 2px 18px; margin-bottom: 6px; }
.legend i { display: inline-block; width: 18px; height: 3px; border-radius: 2px; margin-right: 7px; vertical-align: 4px;
  background: currentColor; }
.legend span { color: var(--quiet); }
.legend b { color: var(--ink); font-weight: 600; font-variant-numeric: tabular-nums; }
.legend .first i { color: var(--first); } .legend .second i { color: var(--second); }
.legend .third i { color: var(--third); }
svg { display: block; width: 100%; height: auto; overflow: hidden; }
svg text { font-size: 12px; fill: var(--quiet); text-anchor: middle; font-variant-numeric: tabular-nums; }
svg text.left, svg text.level-name { text-anchor: end; }
svg text.level-name { paint-order: stroke; stroke: var(--card); stroke-width: 4px; stroke-linejoin: round; }
svg .grid { stroke: var(--rule); }
svg .axis { stroke: var(--pale); }
svg .level { stroke: var(--quiet); stroke-dasharray: 5 4; }
svg .curve, svg .raw { fill: none; stroke: currentColor; stroke-linejoin: round; stroke-linecap: round; }
svg .curve { stroke-width: 2.2; }
svg .raw { stroke-width: 1; opacity: 0.3; }
svg .dot { fill: currentColor; stroke: var(--card); stroke-width: 1; }
svg .first { color: var(--first); } svg .second { color: var(--second); } svg .third { color: var(--third); }
.bars { display: grid; grid-template-columns: max-content 1fr max-content; gap: 8px 14px; align-items: center;
  padding: 16px 18px; }
.bars i { display: block; height: 16px; border-radius: 4px; background: var(--pale); min-width: 2px; }
.bars .own { background: var(--third); }
.bars b, td { font-variant-numeric: tabular-nums; }
td.input { font: 13px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; white-space: pre-wrap;
  overflow-wrap: anywhere; width: 100%; }
td.answer { white-space: pre-wrap; overflow-wrap: anywhere; min-width: 4em; max-width: 32em; }
.texts td.input { width: auto; min-width: 9em; }
.texts td.answer { font: 13px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; width: 80%;
  max-width: none; }
td.mark { font-weight: 700; color: var(--third); }
td.mark.wrong { color: var(--wrong); }
td.share { color: var(--quiet); white-space: nowrap; }
.config { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(330px, 100%), 1fr)); column-gap: 36px;
  padding: 10px 18px; margin: 0; }
.config div { display: flex; justify-content: space-between; gap: 16px; padding: 5px 0;
  border-bottom: 1px solid var(--rule); }
.config dt { color: var(--quiet); }
.config dd { margin: 0; text-align: right; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
@media (max-width: 600px) { svg text { font-size: 15px; } }
)css";

}  // namespace lintel::train
