// The freshness cell in its three parts: age, meter of age over target, target (DESIGN section 4).
import type { Freshness } from '../../../src/serve/answers/relations.ts'
import { useNow } from '../api/clock.ts'
import { formatDuration } from './format.ts'
import { Meter } from './meter.tsx'
import { Age, Span } from './time.tsx'

export function FreshAge({ of, short = false }: { readonly of: Freshness; readonly short?: boolean }) {
  if (of.lagMs !== undefined && of.state !== 'late') return <Span ms={of.lagMs} />
  if (of.asOfMs === null) return <span className="muted">–</span>
  return (
    <span className={of.state === 'late' ? 'c-bad m5' : undefined}>
      <Age at={of.asOfMs} short={short} />
    </span>
  )
}

export const targetWord = (of: Freshness): string =>
  of.targetMs === null ? (of.lagMs === undefined ? 'none' : 'live') : formatDuration(of.targetMs)

export function FreshTarget({ of }: { readonly of: Freshness }) {
  const now = useNow()
  const age = of.lagMs ?? (of.asOfMs === null ? 0 : now - of.asOfMs)
  const share = of.targetMs === null ? 0.06 : age / of.targetMs
  return (
    <span className="row muted">
      <span style={{ width: 32 }}>
        <Meter share={Math.max(0.06, share)} bad={of.state === 'late'} />
      </span>
      <span className="s12">{targetWord(of)}</span>
    </span>
  )
}
