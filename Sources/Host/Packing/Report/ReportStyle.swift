// How the report looks: on light and dark screens, narrow ones, and paper.

/// The page's style sheet.
enum ReportStyle {
  /// Without the characters that XML reserves.
  static let text: StaticString = """
    :root {
      --paper: #fbfaf8; --card: #ffffff; --ink: #1d2326; --soft: #5d686d; --rule: #e2e1dc;
      --accent: #0b6e75; --accent-soft: #b9d9da; --second: #c4651a; --bad: #b3261e;
    }
    @media (prefers-color-scheme: dark) {
      :root {
        --paper: #14181a; --card: #1c2124; --ink: #e7eaea; --soft: #9aa6aa; --rule: #313a3e;
        --accent: #53b9be; --accent-soft: #25484b; --second: #e89a55; --bad: #f2867e;
      }
    }
    * { box-sizing: border-box; }
    html { -webkit-text-size-adjust: 100%; }
    body {
      margin: 0; background: var(--paper); color: var(--ink);
      font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
      font-variant-numeric: tabular-nums;
    }
    main { max-width: 60rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
    header { margin-bottom: 2rem; }
    h1 { font-size: 2rem; line-height: 1.15; margin: 0.1rem 0 0.4rem; overflow-wrap: anywhere; }
    h2 { font-size: 1.15rem; margin: 0 0 0.25rem; }
    h3 { font-size: 0.95rem; margin: 1.25rem 0 0.5rem; }
    p { margin: 0; }
    .kicker {
      color: var(--accent); font-size: 0.8rem; font-weight: 600; letter-spacing: 0.06em;
      text-transform: uppercase;
    }
    .lead { color: var(--soft); overflow-wrap: anywhere; max-width: 46rem; }
    .lead strong { color: var(--ink); }
    .note { color: var(--soft); font-size: 0.88rem; margin-top: 0.75rem; }
    .facts { display: flex; flex-wrap: wrap; gap: 0.75rem 2rem; margin: 1.25rem 0 0; }
    .facts dt { color: var(--soft); font-size: 0.8rem; }
    .facts dd { margin: 0; font-weight: 600; overflow-wrap: anywhere; }
    section {
      background: var(--card); border: 1px solid var(--rule); border-radius: 10px;
      padding: 1.25rem 1.4rem 1.4rem; margin-top: 1.1rem;
    }
    .tiles { display: grid; grid-template-columns: repeat(3, 1fr); gap: 1rem; margin-top: 1rem; }
    .tile { border-left: 3px solid var(--accent-soft); padding-left: 0.8rem; min-width: 0; }
    .tile span { display: block; }
    .tile .name, .under { color: var(--soft); font-size: 0.82rem; }
    .tile .value { font-size: 1.5rem; font-weight: 650; line-height: 1.3; }
    .tile .absent { font-size: 1rem; font-weight: 400; color: var(--soft); line-height: 1.95; }
    .bars { display: grid; gap: 0.85rem; margin-top: 1rem; }
    .budget, .step { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 0.2rem 1rem; }
    .budget .name, .step .name { font-weight: 600; }
    .step .name {
      font-weight: 400; overflow: hidden; text-overflow: ellipsis; white-space: nowrap;
      font-size: 0.9rem;
    }
    .figure { text-align: right; color: var(--soft); font-size: 0.9rem; }
    .figure strong { color: var(--ink); }
    .track, .under { grid-column: 1 / -1; }
    .track { display: block; height: 8px; border-radius: 4px; background: var(--rule); overflow: hidden; }
    .step .track { height: 5px; }
    .fill { display: block; height: 100%; border-radius: 4px; background: var(--accent); }
    .fill.over { background: var(--bad); }
    .plot {
      position: relative; height: 15rem; margin: 1.4rem 0.6rem 1.8rem 4.6rem;
      border-bottom: 1px solid var(--soft);
    }
    .plot svg { display: block; width: 100%; height: 100%; overflow: visible; }
    .plot .grid, .plot .curve, .plot .limit { vector-effect: non-scaling-stroke; fill: none; }
    .grid { stroke: var(--rule); stroke-width: 1; }
    .curve { stroke: var(--accent); stroke-width: 2; }
    .limit { stroke: var(--second); stroke-width: 1.5; stroke-dasharray: 5 4; }
    .area { fill: var(--accent); fill-opacity: 0.55; }
    .column { fill: var(--accent); }
    .column.plain { fill: var(--second); }
    .ytick, .xtick, .tag { position: absolute; font-size: 0.76rem; color: var(--soft); white-space: nowrap; }
    .ytick { right: 100%; transform: translateY(50%); padding-right: 0.5rem; }
    .xtick { top: 100%; transform: translateX(-50%); padding-top: 0.3rem; }
    .dot {
      position: absolute; width: 10px; height: 10px; margin: 0 0 -5px -5px; border-radius: 50%;
      background: var(--accent); border: 2px solid var(--card);
    }
    .dot.small { width: 6px; height: 6px; margin: 0 0 -3px -3px; border: 0; }
    .dot.baseline { background: var(--soft); border-radius: 2px; }
    .dot.chosen { background: var(--second); width: 14px; height: 14px; margin: 0 0 -7px -7px; }
    .tag { color: var(--ink); padding: 0 0.7rem; }
    .tag.above { transform: translateY(-4px); }
    .tag.below { transform: translateY(100%); }
    .tag.west.above { transform: translate(-100%, -4px); }
    .tag.west.below { transform: translate(-100%, 100%); }
    .legend { display: flex; gap: 1.25rem; font-size: 0.82rem; color: var(--soft); }
    .key::before {
      content: ""; display: inline-block; width: 0.7rem; height: 0.7rem; margin-right: 0.4rem;
      border-radius: 2px; background: var(--accent);
    }
    .key.plain::before { background: var(--second); }
    details { margin-top: 1rem; }
    summary { cursor: pointer; color: var(--accent); font-weight: 600; }
    .scroll { overflow-x: auto; margin-top: 0.75rem; }
    table { border-collapse: collapse; width: 100%; font-size: 0.84rem; }
    th, td { padding: 0.3rem 0.6rem; border-bottom: 1px solid var(--rule); text-align: right; }
    td { white-space: nowrap; }
    th { font-weight: 600; }
    tbody th { font-weight: 400; overflow-wrap: anywhere; min-width: 12rem; }
    th:first-child { text-align: left; padding-left: 0; }
    @media (max-width: 40rem) {
      main { padding: 1.5rem 0.75rem 3rem; }
      h1 { font-size: 1.55rem; }
      section { padding: 1rem 0.9rem 1.1rem; }
      .tiles { grid-template-columns: 1fr; }
      .budget, .step { grid-template-columns: minmax(0, 1fr); }
      .figure { text-align: left; }
      .plot { height: 12rem; margin-left: 3.9rem; }
    }
    @media print {
      :root {
        --paper: #ffffff; --card: #ffffff; --ink: #000000; --soft: #444444; --rule: #cccccc;
        --accent: #0b6e75; --accent-soft: #b9d9da; --second: #c4651a; --bad: #b3261e;
      }
      body { font-size: 11px; -webkit-print-color-adjust: exact; print-color-adjust: exact; }
      main { max-width: none; padding: 0; }
      section { break-inside: avoid; border-radius: 0; }
      details { display: none; }
    }
    """
}
