// Where rows come from in the embedded spine: an HTTP route, or files. Other systems have their own modules.
import type { Duration } from '../core/duration.ts'
import type { Text } from './manifest.ts'

export interface HttpSource {
  readonly $source: 'http'
}

export interface EmittedSource {
  readonly $source: 'emitted'
}

export interface FilesHow {
  /** A path or pattern, relative to the project: `'data/*.csv'`. */
  readonly path: Text
  readonly format: 'csv' | 'json' | 'parquet'
  /** Look again so often; or by `cron` in `zone`. Neither: once, and when asked. */
  readonly every?: Duration
  readonly cron?: string
  /** IANA zone of `cron`; default UTC. */
  readonly zone?: string
  /** Options of the reader, such as `{ delimiter: ';' }`. */
  readonly options?: Readonly<Record<string, string | number | boolean>>
  /** Our column -> the name in the file, where they differ. */
  readonly columns?: Readonly<Record<string, string>>
}

export interface FilesSource extends FilesHow {
  readonly $source: 'files'
}

/** Rows arrive by `POST /streams/{name}`. */
export const http = (): HttpSource => Object.freeze({ $source: 'http' })

/** Rows are emitted by the processor that names the stream among its outputs. */
export const emitted = (): EmittedSource => Object.freeze({ $source: 'emitted' })

/** Rows of files. */
export const files = (how: FilesHow): FilesSource => Object.freeze({ $source: 'files', ...how })
