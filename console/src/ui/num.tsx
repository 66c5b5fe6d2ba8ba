// Figures. Every number on a page passes here (or through Age and Time): grouped, tabular, with its unit.
import { formatBytes, formatCount, formatRate, formatShare, formatShort } from './format.ts'

export type NumAs = 'count' | 'short' | 'bytes' | 'share' | 'rate'

const HOW: Record<NumAs, (value: number) => string> = {
  count: formatCount,
  short: formatShort,
  bytes: formatBytes,
  share: formatShare,
  rate: formatRate,
}

export function Num({ value, as = 'count' }: { readonly value: number | null; readonly as?: NumAs }) {
  return value === null ? (
    <span className="muted" title="not known">
      –
    </span>
  ) : (
    <span className="num">{HOW[as](value)}</span>
  )
}
