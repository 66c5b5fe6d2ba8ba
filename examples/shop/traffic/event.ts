// What the replay sends: one row for one stream at one moment, and how it is printed. Faulty rows are damaged copies that
// are made here; the real row is always sent as well, so that nothing real is lost.
import type { Chance } from './chance.ts'

export type StreamName = 'order_lines' | 'payments' | 'clicks' | 'fraud_labels'
export type Row = Readonly<Record<string, string | number | boolean | undefined>>

/** The ways in which a copy is damaged, each with the code by which the server should refuse it. */
export const DAMAGES = {
  cut: 'MR_ROW_JSON',
  missing: 'MR_ROW_MISSING',
  type: 'MR_ROW_TYPE',
  unknown: 'MR_ROW_UNKNOWN_FIELD',
} as const
export type Damage = keyof typeof DAMAGES

/** row: as it should be; duplicate: the same row again; late: a copy with a new id, hours behind; bad: a damaged copy. */
export type EventKind = 'row' | 'duplicate' | 'late' | 'bad'

export interface Event {
  readonly stream: StreamName
  readonly kind: EventKind
  /** When it is sent, milliseconds since 1970; its own time is `behindMs` before that. */
  readonly atMs: number
  readonly behindMs: number
  /** All columns but the time. */
  readonly row: Row
  readonly damage?: Damage
}

/** Event-time column of each stream. */
const TIMES: Record<StreamName, string> = { order_lines: 'placed', payments: 'seen', clicks: 'seen', fraud_labels: 'seen' }
/** The column that a damaged copy lacks, and the one in which it holds a word instead of a number. */
const BREAKS: Partial<Record<StreamName, { readonly required: string; readonly numeric: string }>> = {
  order_lines: { required: 'product', numeric: 'quantity' },
  payments: { required: 'customer', numeric: 'amount' },
  clicks: { required: 'session', numeric: 'step' },
}

/** The line of NDJSON for `event`, as if it happened at `atMs`. */
export function printEvent(event: Event, atMs: number = event.atMs): string {
  const row: Record<string, unknown> = { ...event.row, [TIMES[event.stream]]: new Date(atMs - event.behindMs).toISOString() }
  const breaks = BREAKS[event.stream]
  if (breaks && event.damage === 'missing') delete row[breaks.required]
  if (breaks && event.damage === 'type') row[breaks.numeric] = 'many'
  if (event.damage === 'unknown') row['shoe_size'] = 42
  const line = JSON.stringify(row)
  return event.damage === 'cut' ? line.slice(0, line.length / 2) : line
}

/** Share of extra rows, 0 to 1, by kind. */
export interface Faults {
  readonly duplicates: number
  readonly late: number
  readonly bad: number
}

const LATE_MS = 3 * 60 * 60 * 1000

/** `event` and the copies that chance adds to it. Keyed tables know no lateness, so `order_lines` has no late copies. */
export function* withFaults(event: Event, faults: Faults, chance: Chance): Generator<Event> {
  const name = `${event.stream}/${event.row['id'] ?? event.row['payment']}`
  yield event
  if (!BREAKS[event.stream]) return
  if (chance.of(`${name}/again`) < faults.duplicates) yield { ...event, kind: 'duplicate' }
  if (event.stream !== 'order_lines' && chance.of(`${name}/late`) < faults.late) {
    // The row before it in the same partition has just moved the watermark past it: it is late whatever else is sent.
    yield { ...event, kind: 'late', behindMs: LATE_MS, row: { ...event.row, id: chance.uuid(`${name}/late`) } }
  }
  if (chance.of(`${name}/bad`) < faults.bad) {
    const damages = Object.keys(DAMAGES) as Damage[]
    yield { ...event, kind: 'bad', damage: damages[chance.integer(`${name}/damage`, damages.length)]! }
  }
}
