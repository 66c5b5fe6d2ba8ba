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

/** Rows of a relation: of a large one by key beside the changes that are not counted until they are committed; `short` in a table. */
export function RowCount({
  of,
  short = false,
}: {
  readonly of: { readonly rows: number | null; readonly changes?: number }
  readonly short?: boolean
}) {
  return (
    <>
      <Num value={of.rows} />
      {of.changes === undefined ? null : (
        <span className="muted num" title="changes by key that are not committed yet: each replaces, adds or takes away a row">
          {short ? ` +${formatShort(of.changes)}` : ` + ${formatShort(of.changes)} ${of.changes === 1 ? 'change' : 'changes'}`}
        </span>
      )}
    </>
  )
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
