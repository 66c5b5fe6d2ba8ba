// The place of one state of the key at hand: what a kind of state reads and changes, and how it says what takes a change
// back. Relies on the container (`keyed-state.ts`) to move it from key to key.
import type { Undo } from './journal.ts'

export interface Slot<C> {
  get(): C | null
  /** Replaces the cell; taken back when the row is. */
  set(cell: C | null): void
  /** Before a change inside a cell: called, the last first, when the row is taken back. */
  onUndo(undo: Undo, of: unknown, at: unknown, before: unknown): void
  /** Time of the call, microseconds. */
  readonly nowUs: number
  /** No later call has a time before this one: what is past then can be let go without a trace. */
  readonly floorUs: number
}

/** How one kind of state works. Cells belong to it alone; user code holds the handle, never a cell. */
export interface Kind<C> {
  handle(slot: Slot<C>): object
  /** Plain JSON that shares nothing that changes. */
  encode(cell: C): unknown
  decode(saved: unknown): C
  /** Drops what no call at `floorUs` or later can see; true when nothing is left. */
  expire?(cell: C, floorUs: number): boolean
  /** About how many bytes of memory it takes. */
  sizeOf(cell: C): number
}
