// The console's icons: one 16 px grid, 1.4 px lines, drawn in the text's colour. Decoration only: a word stands beside each.

const PATHS = {
  home: 'M2.5 8.5 8 3l5.5 5.5M4 7.5V13h8V7.5',
  data: 'M3 4c0-1 2.2-1.8 5-1.8S13 3 13 4v8c0 1-2.2 1.8-5 1.8S3 13 3 12zM3 4c0 1 2.2 1.8 5 1.8S13 5 13 4M3 8c0 1 2.2 1.8 5 1.8S13 9 13 8',
  lineage: 'M2 3h4v3H2zM2 10h4v3H2zM10 6.5h4v3h-4zM6 4.5h1.5c1 0 1 3.5 2.5 3.5M6 11.5h1.5c1 0 1-3.5 2.5-3.5',
  stream: 'M2 5c2-2 4-2 6 0s4 2 6 0M2 11c2-2 4-2 6 0s4 2 6 0',
  runs: 'M2.5 4h5M5 8h6M8.5 12h5',
  sql: 'M3 4.5 6.5 8 3 11.5M8.5 12H13',
  dashboard: 'M2.5 2.5h4.5v6H2.5zM9 2.5h4.5v3.5H9zM9 8.5h4.5v5H9zM2.5 11h4.5v2.5H2.5z',
  right: 'M6 4l4 4-4 4',
  down: 'M4 6l4 4 4-4',
  back: 'M13 8H3M6.5 4.5 3 8l3.5 3.5',
  find: 'M7 3a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM10 10l3.5 3.5',
  lock: 'M4.5 7.5h7v5.5h-7zM6 7.5V5.6a2 2 0 0 1 4 0v1.9',
  bad: 'M8 2.2a5.8 5.8 0 1 0 0 11.6A5.8 5.8 0 0 0 8 2.2zM6 6l4 4M10 6l-4 4',
  warn: 'M8 2.6 14 13H2zM8 6.5v3M8 11.2h.01',
  ok: 'M8 2.2a5.8 5.8 0 1 0 0 11.6A5.8 5.8 0 0 0 8 2.2zM5.6 8.2l1.7 1.7 3.2-3.6',
  run: 'M8 2.2a5.8 5.8 0 1 0 5.8 5.8',
  idle: 'M8 2.2a5.8 5.8 0 1 0 0 11.6A5.8 5.8 0 0 0 8 2.2zM5.5 8h5',
  more: 'M3.5 8h.01M8 8h.01M12.5 8h.01',
  model: 'M8 2 13.5 5v6L8 14 2.5 11V5zM2.5 5 8 8l5.5-3M8 8v6',
  play: 'M5 3.5v9l7-4.5z',
  filter: 'M2.5 4h11M4.5 8h7M6.5 12h3',
  processor: 'M9 2 4 9h4l-1 5 5-7H8z',
  table: 'M2.5 3.5h11v9h-11zM2.5 6.5h11M6.5 6.5v6',
  close: 'M4 4l8 8M12 4l-8 8',
  plus: 'M8 3.5v9M3.5 8h9',
  minus: 'M4 8.5h8',
  source: 'M3 3.5h10v3.5H3zM3 9h10v3.5H3zM5 5.2h.01M5 10.8h.01',
  endpoint: 'M5 4 1.8 8 5 12M11 4l3.2 4L11 12',
  sink: 'M8 2.5v7M5 7l3 3 3-3M3 13h10',
} as const

export type IconName = keyof typeof PATHS

export function Icon({ name, size = 14 }: { readonly name: IconName; readonly size?: number }) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      strokeWidth={name === 'more' ? 1.9 : 1.4}
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      style={{ flex: 'none' }}
    >
      <path d={PATHS[name]} />
    </svg>
  )
}

export function Logo() {
  return (
    <svg width="18" height="18" viewBox="0 0 18 18" aria-hidden="true">
      <path d="M2 5h14M2 9h9.5M2 13h5" stroke="var(--accent)" strokeWidth="2.2" strokeLinecap="round" />
    </svg>
  )
}

/** Icon of a relation or of a node of the lineage graph. */
export function kindIcon(kind: string, how = ''): IconName {
  if (how === 'processor' || kind === 'processor') return 'processor'
  if (kind === 'stream' || how === 'live') return 'stream'
  if (kind === 'table') return 'table'
  if (kind === 'source') return 'source'
  if (kind === 'endpoint') return 'endpoint'
  if (kind === 'dashboard') return 'dashboard'
  if (kind === 'sink') return 'sink'
  if (kind === 'alert') return 'warn'
  return 'model'
}
