// The answer to a statement that changed rows: how many, of what, and where in the log it stands.
import type { SqlWritten } from '../../../src/serve/answers/sql.ts'
import { formatCount, formatDuration, plural } from '../ui/format.ts'
import { State } from '../ui/state.tsx'

/** '3 rows inserted, 1 row updated'; '0 rows changed'. */
export function writtenText({ inserted, updated, deleted }: Pick<SqlWritten, 'inserted' | 'updated' | 'deleted'>): string {
  const done = Object.entries({ inserted, updated, deleted }).filter(([, count]) => count > 0)
  return done.map(([verb, count]) => `${plural(count, 'row')} ${verb}`).join(', ') || '0 rows changed'
}

export function Written({ of }: { readonly of: SqlWritten }) {
  const places = of.offsets.map(({ partition, first, last }) =>
    first === last
      ? `partition ${partition}, offset ${formatCount(first)}`
      : `partition ${partition}, offsets ${formatCount(first)} to ${formatCount(last)}`,
  )
  return (
    <>
      <div className="tb">
        <span className="m5" role="status">
          {writtenText(of)}
        </span>
        <span className="sp" />
        <span className="s12 t2 num nowrap hide-m">{formatDuration(of.durationMs, 'fine')}</span>
      </div>
      <div style={{ flex: 1, padding: 16 }}>
        <p className="t2">
          <span className="mono">{of.relation}</span>
          {places.length === 0 ? ' is as it was.' : ` in the log: ${places.join('; ')}.`}
        </p>
      </div>
      <div className="statusline">
        <State tone="ok">{places.length === 0 ? 'Nothing to do' : 'Durable'}</State>
      </div>
    </>
  )
}
