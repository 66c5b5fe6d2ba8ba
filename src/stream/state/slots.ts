// What the handles of declared states point at: the cells of the key at hand, or those that all keys share. One class for each,
// so that reading a cell asks nothing.
import { MillraceError } from '../../core/errors.ts'
import type { Journal, Undo } from './journal.ts'
import type { Slot } from './slot.ts'

/** The call at hand; both null between calls. */
export class Cursor {
  own: unknown[] | null = null
  shared: unknown[] | null = null
  nowUs = 0
  floorUs = Number.NEGATIVE_INFINITY
}

abstract class CellSlot implements Slot<unknown> {
  protected readonly cursor: Cursor
  protected readonly index: number
  readonly #name: string
  readonly #journal: Journal

  constructor(cursor: Cursor, index: number, name: string, journal: Journal) {
    this.cursor = cursor
    this.index = index
    this.#name = name
    this.#journal = journal
  }

  abstract get(): unknown
  abstract set(cell: unknown): void

  protected put(cells: unknown[], cell: unknown): void {
    this.#journal.note(putCell, cells, this.index, cells[this.index])
    cells[this.index] = cell
  }

  onUndo(undo: Undo, of: unknown, at: unknown, before: unknown): void {
    this.#journal.note(undo, of, at, before)
  }

  get nowUs(): number {
    return this.cursor.nowUs
  }

  get floorUs(): number {
    return this.cursor.floorUs
  }

  protected refused(): MillraceError {
    return this.cursor.shared === null
      ? new MillraceError('MR_PROCESSOR', `the state "${this.#name}" was used after the call that it belongs to`, {
          fix: 'use state only before `on` returns: it must not be async',
        })
      : new MillraceError('MR_PROCESSOR', `the state "${this.#name}" has no key here`, {
          fix: 'a row that is broadcast belongs to no key: keep it in shared.* state',
        })
  }
}

export class OwnSlot extends CellSlot {
  get(): unknown {
    const { own } = this.cursor
    if (own === null) throw this.refused()
    return own[this.index]
  }

  set(cell: unknown): void {
    const { own } = this.cursor
    if (own === null) throw this.refused()
    this.put(own, cell)
  }
}

export class SharedSlot extends CellSlot {
  get(): unknown {
    const { shared } = this.cursor
    if (shared === null) throw this.refused()
    return shared[this.index]
  }

  set(cell: unknown): void {
    const { shared } = this.cursor
    if (shared === null) throw this.refused()
    this.put(shared, cell)
  }
}

const putCell = (cells: unknown[], index: number, before: unknown): void => {
  cells[index] = before
}
