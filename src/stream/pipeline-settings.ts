// What a pipeline is told, and the parts that it works with.
import type { Clock } from '../core/clock.ts'
import type { Random } from '../core/random.ts'
import type { Lake } from '../lake/open-lake.ts'
import type { Log } from '../log/log.ts'
import type { Catalog } from '../store/catalog.ts'
import type { CheckpointStore } from './checkpoint.ts'
import type { StreamEvent } from './stream-event.ts'

export interface PipelineSettings {
  readonly name: string
  /** Fingerprint of the definition and the code: another one starts from the log's beginning or is refused by the caller. */
  readonly code: string
  readonly flushMs: number
  readonly flushBytes: number
  readonly readBytes: number
  /** A partition without rows for this long does not hold up the others; default 30 s. */
  readonly idleMs?: number
  /**
   * Name of the cursor that says which pipeline the rows of its table are of: the one that committed last. One that finds another
   * there has nothing that is its own any more, whatever it once committed.
   */
  readonly owner?: string
}

export interface PipelineParts {
  readonly clock: Clock
  /** For how long requests with rows have kept the threads that take them busy, milliseconds; 0 where there are none. */
  readonly intakeMs: () => number
  readonly random: Random
  readonly log: Log
  readonly lake: Lake
  readonly catalog: Catalog
  readonly checkpoints: CheckpointStore
  readonly onEvent: (event: StreamEvent) => void
}
