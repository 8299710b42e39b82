/// What makes the page pleasant; it can be read without.
enum PageStyle {
  static let css: HTML = """
    :root{color-scheme:light dark;--page:#f4f5f7;--card:#fff;--ink:#1c2127;--dim:#565f6a;\
    --line:#d9dde3;--tint:#eef1f4;--good:#00694d;--warn:#8a5000;--bad:#a8321a}
    @media (prefers-color-scheme:dark){:root{--page:#0e1116;--card:#161b22;--ink:#e4e9ef;\
    --dim:#a0aab6;--line:#2f3640;--tint:#1f262f;--good:#4fd1a5;--warn:#f0b35a;--bad:#ff8d73}
    .blue,.heat{stroke:#56b4e9}.blue-fill,.heat-fill{fill:#56b4e9}
    .red{stroke:#ff8f4d}.red-fill{fill:#ff8f4d}.green{stroke:#2ecc9b}.green-fill{fill:#2ecc9b}}
    @media print{:root{color-scheme:light;--page:#fff;--card:#fff;--ink:#000;--dim:#444;\
    --line:#bbb;--tint:#f3f3f3;--good:#00694d;--warn:#8a5000;--bad:#a8321a}
    .blue,.heat{stroke:#0072b2}.blue-fill,.heat-fill{fill:#0072b2}
    section,figure{break-inside:avoid}details{display:none}main{max-width:none}}
    *{box-sizing:border-box}
    body{margin:0;background:var(--page);color:var(--ink);\
    font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
    main{max-width:1080px;margin:0 auto;padding:20px 16px 40px}
    header{margin:0 4px 16px}header p{margin:2px 0;color:var(--dim)}
    .kind{font-size:13px;letter-spacing:.04em}
    h1{margin:0;font-size:24px;line-height:1.3;overflow-wrap:anywhere}
    h2{margin:0 0 12px;font-size:17px}h3{margin:16px 0 6px;font-size:15px}
    section{background:var(--card);border:1px solid var(--line);border-radius:10px;\
    padding:16px 20px;margin:0 0 16px}
    .verdict{border-left-width:8px}.verdict h2{display:flex;align-items:center;gap:10px;font-size:20px}
    .valid{border-left-color:var(--good)}.suspect{border-left-color:var(--warn)}
    .invalid{border-left-color:var(--bad)}
    .verdict p,.verdict ul{margin:6px 0 0}.verdict ul{padding-left:20px}
    .sentence{font-size:18px}.facts,.legend{color:var(--dim)}
    .legend{margin:6px 0 0;font-size:13px}.legend span{margin-right:18px;white-space:nowrap}
    .legend svg{vertical-align:middle}
    figure{margin:0 0 6px}figure+.legend{margin-top:0}.legend+figure{margin-top:20px}
    svg{max-width:100%}svg[role]{display:block;overflow:visible;font-variant-numeric:tabular-nums}
    .halo{stroke:var(--card)}
    details{margin:4px 0 8px}summary{cursor:pointer;color:var(--dim);font-size:13px}
    .wide{overflow-x:auto}
    table{border-collapse:collapse;font-variant-numeric:tabular-nums}
    caption{text-align:left;white-space:nowrap;color:var(--dim);font-size:13px;padding:0 0 6px}
    .data{border:0;font-size:14px}.data th,.data td{border:0;border-bottom:1px solid var(--line);\
    padding:4px 12px 4px 0;vertical-align:top;font-weight:400}
    .data thead th{color:var(--dim);font-size:13px}.data th,.data td{white-space:nowrap}
    .data .long{white-space:normal;overflow-wrap:anywhere;min-width:160px}
    .wide+.wide{margin-top:16px}
    .pass>th,span.pass{color:var(--good);font-weight:600}.fail>th,span.fail{color:var(--bad);\
    font-weight:600}.undecided>th,span.undecided{color:var(--warn);font-weight:600}
    h2 span{font-size:16px;margin-left:8px}
    .tiles,.tiles tbody{display:block}.tiles caption{display:none}
    .tiles tbody{display:grid;grid-template-columns:repeat(auto-fit,minmax(130px,1fr));gap:12px}
    .tiles tr{display:flex;flex-direction:column;background:var(--tint);border-radius:8px;\
    padding:10px 14px}
    .tiles th,.tiles td{padding:0;text-align:left;font-weight:400;font-size:13px;color:var(--dim)}
    .tiles .value{font-size:24px;line-height:1.3;font-weight:600;color:var(--ink);white-space:nowrap}
    .command{margin:0;padding:12px 14px;background:var(--tint);border-radius:8px;\
    overflow-wrap:anywhere;font-size:13px}
    code{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:.93em}
    footer{color:var(--dim);font-size:13px;margin:0 4px}
    th.sorted::after{content:" \\2193"}thead th[tabindex]{cursor:pointer}
    @media (max-width:560px){main{padding:12px 8px 24px}section{padding:12px 12px}h1{font-size:19px}\
    .sentence{font-size:16px}.tiles .value{font-size:20px}\
    .tiles tbody{grid-template-columns:repeat(2,1fr);gap:8px}}
    @media print{.data th,.data td{white-space:normal;padding-right:8px}.wide{overflow:visible}}

    """
}
