// Metadata on its way from one state to the next, while the updates of one commit are carried out one after the other.
import type { TableMetadata } from '../table-metadata.ts'

export type Writable<T> = { -readonly [K in keyof T]: T[K] }

export interface Draft {
  /** Members are replaced, never changed inside: the base shares them. */
  readonly metadata: Writable<TableMetadata>
  /** A table that is being created may set what an existing one may only raise. */
  readonly isNew: boolean
  readonly nowMs: number
  /** Snapshots that this commit adds. */
  readonly added: Set<bigint>
  /** What -1 means in later updates of the same commit. */
  lastSchemaId?: number
  lastSpecId?: number
  lastOrderId?: number
}
