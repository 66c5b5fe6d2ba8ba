// What a node is started with.
import type { Clock } from '../core/clock.ts'
import type { LakeSettings } from '../define/lake.ts'
import type { Manifest } from '../define/manifest.ts'
import type { PipelinesParts } from './pipelines.ts'
import type { Settings } from './settings.ts'

export interface NodeOptions {
  readonly manifest: Manifest
  /** Where the code of a processor runs. */
  readonly hostOf: PipelinesParts['hostOf']
  /** Directory of the project: file sources are relative to it. */
  readonly directory: string
  readonly data: string
  readonly environment: string
  /** Where tables lie; absent = in the data directory. */
  readonly lake?: LakeSettings
  /** Fingerprint of the project's code, when it is known. */
  readonly code: string | null
  readonly variables: Readonly<Record<string, string | undefined>>
  readonly settings: Settings
  readonly clock: Clock
  readonly host: string
  /** First port; 0 = any free. */
  readonly port: number
  readonly isOpen: boolean
  /** Starts by itself what is stale or due; tests switch it off. */
  readonly schedule: boolean
}
