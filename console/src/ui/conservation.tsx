// in = out + deduplicated + late + rejected: as figures, as a bar in proportion, and the part that is not out widened below
// with its factor. When it does not balance it says by how many, and where.
import type { Conservation as Counters } from '../../../src/serve/answers/streams.ts'
import { formatCount, formatNumber } from './format.ts'
import { State } from './state.tsx'

const PARTS = [
  ['out', 'var(--chart-1)'],
  ['deduplicated', 'var(--chart-2)'],
  ['late', 'var(--warn)'],
  ['rejected', 'var(--bad)'],
] as const

/** in minus the rest, over all partitions; 0 when nothing was lost. */
export const missing = (of: Counters): number => of.in - of.out - of.deduplicated - of.late - of.rejected
export const balances = (of: Counters): boolean => missing(of) === 0 && of.unbalanced.length === 0

export function Balance({ of }: { readonly of: Counters }) {
  return balances(of) ? <State tone="ok">Balances</State> : <State tone="bad">Off by {formatCount(Math.abs(missing(of)))}</State>
}

function Torn({ of }: { readonly of: Counters }) {
  if (balances(of)) return null
  return (
    <p className="s12 c-bad">
      {of.unbalanced.map((part) => `${part.stream}, partition ${part.partition}: off by ${formatCount(part.by)}`).join('; ') ||
        'The sums of the partitions differ.'}
    </p>
  )
}

/** The equation in one line, for the overview. */
export function ConservationLine({ of }: { readonly of: Counters }) {
  return (
    <>
      <div className="row wrap num" style={{ gap: '6px 10px' }}>
        <span>
          <b>{formatCount(of.in)}</b> <span className="muted">in</span>
        </span>
        {PARTS.map(([name], index) => (
          <span className="row" key={name} style={{ gap: 10 }}>
            <span className="muted">{index === 0 ? '=' : '+'}</span>
            <span>
              <b>{formatCount(of[name])}</b> <span className="muted">{name}</span>
            </span>
          </span>
        ))}
        <span className="sp" />
        <Balance of={of} />
      </div>
      <Torn of={of} />
    </>
  )
}

/** The whole drawing, for one stream. */
export function Conservation({ of }: { readonly of: Counters }) {
  const aside = of.deduplicated + of.late + of.rejected
  const factor = aside === 0 ? 0 : of.in / aside
  return (
    <div className="in" style={{ display: 'grid', gap: 12, paddingBottom: 14 }}>
      <div className="eq num">
        <div>
          <b>{formatCount(of.in)}</b>
          <span>in</span>
        </div>
        {PARTS.flatMap(([name, color], index) => [
          <em key={`${name} sign`}>{index === 0 ? '=' : '+'}</em>,
          <div key={name}>
            <b>{formatCount(of[name])}</b>
            <span>
              <i style={{ background: color }} />
              {name}
            </span>
          </div>,
        ])}
      </div>
      <Torn of={of} />
      <div className="cb" aria-hidden="true">
        {PARTS.filter(([name]) => of[name] > 0).map(([name, color]) => (
          <i key={name} style={{ flex: of[name], background: color }} />
        ))}
      </div>
      <div className="row s12 t2">
        <span className="nowrap num">{formatCount(aside)} not out</span>
        {factor > 1 ? <span className="muted hide-m">the same, widened {formatNumber(factor, 0)} times</span> : null}
        <span className="sp" />
        <span className="num nowrap">{formatCount(of.skewed)} skewed, counted in out</span>
      </div>
      {aside === 0 ? null : (
        <div className="cb thin" aria-hidden="true">
          {PARTS.slice(1)
            .filter(([name]) => of[name] > 0)
            .map(([name, color]) => (
              <i key={name} style={{ flex: of[name], background: color }} />
            ))}
        </div>
      )}
    </div>
  )
}
