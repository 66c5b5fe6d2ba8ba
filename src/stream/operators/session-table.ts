// The sessions of some keys: rows of one key that follow each other within less than the gap. A row may open one, extend one, or join
// two; a timer says when the watermark may have passed its end, so that no closing looks at sessions that stay open.
import type { Aggregate, NamedExpression } from '../../engine/algebra/relation.ts'
import type { Column } from '../../schema/batch.ts'
import { KeyTable } from '../memory/key-table.ts'
import type { Packed } from '../memory/pack.ts'
import { Doubles, Ints } from '../memory/paged.ts'
import type { RecordReader, RecordWriter } from '../memory/record.ts'
import { TimerHeap } from '../memory/timer-heap.ts'
import type { KeyedTable } from '../spill/generations.ts'
import type { FrozenLeaf } from '../state-tree.ts'
import { AggregateStates } from './aggregate-states.ts'

interface Saved<Leaf> {
  readonly keys: unknown
  readonly states: unknown
  readonly start: Leaf
  readonly last: Leaf
  readonly key: Leaf
}

export interface SessionLayout {
  readonly key: NamedExpression
  readonly aggregates: readonly Aggregate[]
  readonly gapUs: number
}

/** Keys without a session are forgotten when they are this many and more than half. */
const IDLE_KEYS_MIN = 1_024

const NONE = -1

export class SessionTable implements KeyedTable {
  keys: KeyTable
  readonly #layout: SessionLayout
  /** By key: the session that was touched last, near which the next row will be. */
  #at = new Ints(NONE)
  /** Keys that have a session. */
  #busyKeys = 0
  readonly #states: AggregateStates
  /** By session; those of key -1 are free. */
  readonly #key = new Ints(NONE)
  readonly #start = new Doubles()
  readonly #last = new Doubles()
  /** By session: its neighbours in time among those of the key. */
  readonly #newer = new Ints(NONE)
  readonly #older = new Ints(NONE)
  readonly #stamp = new Ints()
  #sessions = 0
  readonly #free: number[] = []
  readonly #timers = new TimerHeap()

  constructor(layout: SessionLayout) {
    this.#layout = layout
    this.keys = this.#noKeys()
    this.#states = new AggregateStates(layout.aggregates)
  }

  #noKeys(): KeyTable {
    return new KeyTable([this.#layout.key.value.type])
  }

  /** `keys`: of each row; `columns`: what is aggregated. */
  add(keys: Int32Array, times: Float64Array, columns: readonly Column[], count: number): void {
    const sessions = new Int32Array(count)
    /** Sessions that were joined to others by this batch. */
    const joined = new Map<number, number>()
    for (let i = 0; i < count; i++) sessions[i] = this.#place(keys[i]!, times[i]!, joined)
    if (joined.size > 0) for (let i = 0; i < count; i++) sessions[i] = follow(joined, sessions[i]!)
    this.#states.add(sessions, columns, null, count)
    for (const session of joined.keys()) this.#free.push(session)
  }

  /** The session of a row: one that it opens or extends; it may lie between two, which are one then. */
  #place(key: number, time: number, joined: Map<number, number>): number {
    const own = this.#before(key, time)
    if (own === NONE || !this.#reaches(own, time)) return this.#begin(key, time, time)
    this.#start.put(own, Math.min(this.#start.at(own), time))
    this.#last.put(own, Math.max(this.#last.at(own), time))
    const older = this.#older.at(own)
    if (older !== NONE && this.#reaches(older, time)) {
      this.#start.put(own, this.#start.at(older))
      this.#states.join(older, own)
      joined.set(older, own)
      this.#unlink(older)
      this.#key.put(older, NONE)
    }
    return own
  }

  /** The newest session of the key that a row at this time follows, or comes less than a gap before. */
  #before(key: number, time: number): number {
    const { gapUs } = this.#layout
    let at = this.#at.at(key)
    if (at === NONE) return NONE
    for (let newer = this.#newer.at(at); newer !== NONE && time > this.#start.at(newer) - gapUs; newer = this.#newer.at(at)) at = newer
    while (at !== NONE && time <= this.#start.at(at) - gapUs) at = this.#older.at(at)
    if (at !== NONE) this.#at.put(key, at)
    return at
  }

  #reaches(session: number, time: number): boolean {
    return time < this.#last.at(session) + this.#layout.gapUs
  }

  /** A session that touches no other of its key. */
  #begin(key: number, start: number, last: number): number {
    const session = this.#free.pop() ?? this.#sessions++
    this.#key.put(session, key)
    this.#start.put(session, start)
    this.#last.put(session, last)
    this.#link(session)
    this.#timers.push(last + this.#layout.gapUs, session, this.#stampAgain(session))
    return session
  }

  /** Among those of its key. */
  #link(session: number): void {
    const key = this.#key.at(session)
    const older = this.#before(key, this.#start.at(session))
    const newer = older === NONE ? this.#oldestOf(key) : this.#newer.at(older)
    this.#older.put(session, older)
    this.#newer.put(session, newer)
    if (older !== NONE) this.#newer.put(older, session)
    if (newer !== NONE) this.#older.put(newer, session)
    if (this.#at.at(key) === NONE) this.#busyKeys++
    this.#at.put(key, session)
  }

  #unlink(session: number): void {
    const key = this.#key.at(session)
    const [older, newer] = [this.#older.at(session), this.#newer.at(session)]
    if (older !== NONE) this.#newer.put(older, newer)
    if (newer !== NONE) this.#older.put(newer, older)
    if (this.#at.at(key) === session) this.#at.put(key, newer === NONE ? older : newer)
    if (this.#at.at(key) === NONE) this.#busyKeys--
  }

  #oldestOf(key: number): number {
    let at = this.#at.at(key)
    for (let older = at; older !== NONE; older = this.#older.at(at)) at = older
    return at
  }

  /** Another use of the slot: its timers of before are not its own. */
  #stampAgain(session: number): number {
    const stamp = this.#stamp.at(session) + 1
    this.#stamp.put(session, stamp)
    return stamp
  }

  /** Sessions that end up to this time. Each is given once: it is to be closed, or its key is not looked at again. */
  ended(untilUs: number): number[] {
    const ended: number[] = []
    while (this.#timers.first <= untilUs) {
      const { slot, stamp } = this.#timers.pop()
      if (this.#key.at(slot) === NONE || this.#stamp.at(slot) !== stamp) continue
      const end = this.#last.at(slot) + this.#layout.gapUs
      if (end <= untilUs) ended.push(slot)
      else this.#timers.push(end, slot, stamp)
    }
    return ended
  }

  close(sessions: readonly number[]): void {
    for (const session of sessions) this.#end(session)
    const idleKeys = this.keys.size - this.#busyKeys
    if (idleKeys > IDLE_KEYS_MIN && idleKeys * 2 > this.keys.size) this.#forgetKeys()
  }

  #end(session: number): void {
    this.#unlink(session)
    this.#key.put(session, NONE)
    this.#states.clear(session)
    this.#free.push(session)
  }

  /** A new table of the keys that have sessions. */
  #forgetKeys(): void {
    const live: number[] = []
    for (let key = 0; key < this.keys.size; key++) if (this.#at.at(key) !== NONE) live.push(key)
    const kept = Int32Array.from(live)
    const columns = this.keys.columns(kept, kept.length)
    this.keys = this.#noKeys()
    const found = this.keys.find(columns, null, kept.length)
    const at = new Ints(NONE)
    for (let i = 0; i < kept.length; i++) {
      at.put(found[i]!, this.#at.at(kept[i]!))
      for (const session of this.#of(kept[i]!)) this.#key.put(session, found[i]!)
    }
    this.#at = at
  }

  /** Sessions of a key, the oldest first. */
  *#of(key: number): Iterable<number> {
    for (let session = this.#oldestOf(key); session !== NONE; session = this.#newer.at(session)) yield session
  }

  openSessions(): number[] {
    const open: number[] = []
    for (let session = 0; session < this.#sessions; session++) if (this.#key.at(session) !== NONE) open.push(session)
    return open
  }

  /** Start and end, key and results. */
  columns(sessions: Int32Array): Column[] {
    const count = sessions.length
    const bound = (of: (session: number) => number): Column => ({
      kind: 'integer',
      values: Float64Array.from(sessions, of),
      big: null,
      nulls: null,
    })
    const keys = Int32Array.from(sessions, (session) => this.#key.at(session))
    return [
      bound((session) => this.#start.at(session)),
      bound((session) => this.#last.at(session) + this.#layout.gapUs),
      ...this.keys.columns(keys, count),
      ...this.#states.columns(sessions, count),
    ]
  }

  write(key: number, out: RecordWriter): void {
    for (const session of this.#of(key)) {
      out.byte(1)
      out.number(this.#start.at(session))
      out.number(this.#last.at(session))
      this.#states.write(session, out)
    }
    out.byte(0)
  }

  read(key: number, from: RecordReader): void {
    while (from.byte() === 1) this.#states.read(this.#begin(key, from.number(), from.number()), from)
  }

  dueOf(key: number): number {
    let due = Number.POSITIVE_INFINITY
    for (const session of this.#of(key)) due = Math.min(due, this.#last.at(session) + this.#layout.gapUs)
    return due
  }

  due(untilUs: number): number[] {
    return this.ended(untilUs).map((session) => this.#key.at(session))
  }

  get bytes(): number {
    return this.keys.bytes + this.#states.bytes + 32 * this.#start.length + this.#at.bytes + this.#timers.bytes
  }

  save(): Saved<FrozenLeaf> {
    const size = this.#sessions
    return {
      keys: this.keys.save(),
      states: this.#states.save(size),
      start: this.#start.freeze(size),
      last: this.#last.freeze(size),
      key: this.#key.freeze(size),
    }
  }

  /** Of a new table. */
  restore(saved: unknown): void {
    const { keys, states, start, last, key } = saved as Saved<Packed>
    this.keys.restore(keys)
    this.#states.restore(states)
    this.#start.restore(start)
    this.#last.restore(last)
    this.#sessions = this.#key.restore(key)
    for (let session = 0; session < this.#sessions; session++) this.#again(session)
  }

  /** A restored session: beside those of its key, with a timer; or free. */
  #again(session: number): void {
    if (this.#key.at(session) === NONE) {
      this.#free.push(session)
      return
    }
    this.#link(session)
    this.#timers.push(this.#last.at(session) + this.#layout.gapUs, session, this.#stamp.at(session))
  }
}

function follow(joined: ReadonlyMap<number, number>, session: number): number {
  let at = session
  for (let next = joined.get(at); next !== undefined; next = joined.get(at)) at = next
  return at
}
