// What recovery hands to a partition.
import type { DiskFile } from '../core/disk.ts'
import type { Memory } from './memory.ts'
import type { Segment } from './segment.ts'

/** An `.idx` on the disk, with or without its segment. */
export interface KnownIndex {
  readonly base: number
  readonly next: number
  readonly lastMs: number
}

export interface PartitionState {
  /** Ascending and without gaps; the last one is written. */
  readonly segments: Segment[]
  /** Each `.idx` whose segment retention has removed, ascending. */
  readonly orphans: readonly KnownIndex[]
  readonly memory: Memory
  /** The last segment, open for writing. */
  readonly file: DiskFile
}
