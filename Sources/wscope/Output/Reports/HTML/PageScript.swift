/// What the page can do with a script: a cross-hair over the charts, and tables that sort.
enum PageScript {
  static let javaScript: HTML = #"""
    (() => {
    'use strict';
    const result = JSON.parse(document.getElementById('wscope-result').textContent);
    const charts = [...document.querySelectorAll('svg.time')];
    const readout = document.getElementById('readout');
    const duration = ns => {
      if (ns == null) return '–';
      for (const [unit, size] of [['s', 1e9], ['ms', 1e6], ['µs', 1e3]])
        if (ns >= size) return (ns / size).toFixed(ns < 10 * size ? 2 : ns < 100 * size ? 1 : 0) + ' ' + unit;
      return ns + ' ns';
    };
    const hairs = charts.map(chart => {
      const hair = document.createElementNS('http://www.w3.org/2000/svg', 'line');
      for (const [name, value] of Object.entries({y1: '0', y2: '100%', stroke: 'currentColor',
        'stroke-opacity': '.7', visibility: 'hidden', 'pointer-events': 'none'}))
        hair.setAttribute(name, value);
      chart.append(hair);
      return hair;
    });
    const show = (chart, event) => {
      const box = chart.getBoundingClientRect();
      const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
      const from = +chart.dataset.from, time = from + share * (chart.dataset.to - from);
      const found = result.intervals.find(i => time >= i.t && time < i.t + i.dur);
      for (const hair of hairs) {
        hair.setAttribute('x1', share * 100 + '%');
        hair.setAttribute('x2', share * 100 + '%');
        hair.setAttribute('visibility', 'visible');
      }
      readout.textContent = !found ? '' : 'From ' + (found.t / 1e9).toFixed(1) + ' s: ' +
        Math.round(found.sent * 1e9 / found.dur) + '/s sent, ' +
        Math.round(found.recv * 1e9 / found.dur) + '/s answered, p50 ' + duration(found.p50) +
        ', p99 ' + duration(found.p99) + ', max ' + duration(found.max) + ', ' + found.open +
        ' open, ' + found.err + ' errors';
    };
    for (const chart of charts) {
      chart.addEventListener('pointermove', event => show(chart, event));
      chart.addEventListener('pointerleave', () => {
        hairs.forEach(hair => hair.setAttribute('visibility', 'hidden'));
        readout.textContent = '';
      });
    }
    const factors = {ns: 1, 'µs': 1e3, ms: 1e6, s: 1e9};
    const value = row => column => {
      const text = row.cells[column].textContent;
      const parts = /^>?(-?[\d ]*\.?\d+) ?(ns|µs|ms|s)?/.exec(text);
      return parts ? parts[1].replace(/ /g, '') * (factors[parts[2]] || 1) : text;
    };
    for (const heading of document.querySelectorAll('.data thead th')) {
      const sort = () => {
        const table = heading.closest('table'), column = heading.cellIndex;
        const isDown = heading.ariaSort !== 'descending';
        for (const other of table.tHead.rows[0].cells) other.ariaSort = null;
        heading.ariaSort = isDown ? 'descending' : 'ascending';
        const rows = [...table.tBodies[0].rows].sort((one, other) => {
          const a = value(one)(column), b = value(other)(column);
          return typeof a === typeof b ? (a < b ? -1 : a > b ? 1 : 0) : typeof a < typeof b ? -1 : 1;
        });
        table.tBodies[0].append(...(isDown ? rows.reverse() : rows));
      };
      heading.tabIndex = 0;
      heading.addEventListener('click', sort);
      heading.addEventListener('keydown', event => { if (event.key === 'Enter') sort(); });
    }
    })();

    """#
}
