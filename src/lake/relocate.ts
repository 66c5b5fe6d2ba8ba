// Metadata for a table or view whose files lie at another place now: Iceberg names files by absolute places. What names files is
// written anew there, beside what was moved: metadata, manifest lists, manifests, and the deletes that name data files. Rows and what
// manifests say of them stay as they are, also what other writers added (Iceberg spec, "Table Metadata", "Manifests", "Puffin").
// Nothing is visible before the caller changes the pointer; what a try leaves that died is an orphan.
import { MillraceError } from '../core/errors.ts'
import { parseJsonVerbatim, printJson } from '../core/json.ts'
import { type Random, uuidV7 } from '../core/random.ts'
import type { ObjectStore } from '../objects/object-store.ts'
import { readContainer, writeContainer } from './avro/container.ts'
import { compileWriter } from './avro/encode.ts'
import type { AvroValue } from './avro/schema.ts'
import { FILE_PATH_ID } from './deletes/delete-manifest.ts'
import { rewriteFooter } from './deletes/puffin.ts'
import { numberOfMetadata, parentOf, toPath, toUri } from './location.ts'
import { DELETED } from './manifest.ts'

/** Places of directories, as paths or URIs, without a slash at their ends. */
export interface Move {
  readonly from: string
  readonly to: string
}

export interface RelocateParts {
  readonly store: Pick<ObjectStore, 'read' | 'put'>
  readonly random: Random
  readonly nowMs: number
  /** A Parquet file of position deletes with other names of data files. */
  rewritePositions(content: Buffer, move: Move): Promise<Buffer>
}

/** Where a file is after the move; what lies elsewhere stays. */
export function movedBy({ from, to }: Move): (location: string) => string {
  return (location) => {
    const path = toPath(location)
    return path === from || path.startsWith(`${from}/`) ? toUri(to + path.slice(from.length)) : location
  }
}

type Json = { readonly [member: string]: unknown }
type Row = { readonly [field: string]: AvroValue }

/** Writes all of a table's metadata anew; answers where. Files must lie at their new places already. @throws MR_LAKE_CORRUPT */
export async function relocateTable(parts: RelocateParts, location: string, move: Move): Promise<string> {
  return new Relocation(parts, move).table(location)
}

/** The same for a view, which names no files but its own metadata. */
export async function relocateView(parts: RelocateParts, location: string, move: Move): Promise<string> {
  return new Relocation(parts, move).metadata(location, (json) => Promise.resolve(json))
}

class Relocation {
  readonly #parts: RelocateParts
  readonly #move: Move
  readonly #moved: (location: string) => string
  /** What was written anew already, by its location of before. */
  readonly #manifests = new Map<string, Promise<{ readonly path: string; readonly sizeBytes: number }>>()
  readonly #deletes = new Map<string, Promise<{ readonly path: string; readonly sizeBytes: number }>>()

  constructor(parts: RelocateParts, move: Move) {
    this.#parts = parts
    this.#move = move
    this.#moved = movedBy(move)
  }

  table(location: string): Promise<string> {
    return this.metadata(location, async (json) => {
      const snapshots: Json[] = []
      for (const snapshot of (json['snapshots'] ?? []) as readonly Json[]) {
        const list = snapshot['manifest-list']
        snapshots.push(typeof list === 'string' ? { ...snapshot, 'manifest-list': await this.#list(list) } : snapshot)
      }
      return { ...json, ...(json['snapshots'] === undefined ? {} : { snapshots }) }
    })
  }

  async metadata(location: string, change: (json: Json) => Promise<Json>): Promise<string> {
    const { store, random, nowMs } = this.#parts
    const before = parseJsonVerbatim((await this.#read(location)).toString('utf8')) as Json
    const json = this.#inJson(await change(before)) as Json
    const number = String(numberOfMetadata(location) + 1).padStart(5, '0')
    const uri = `${parentOf(this.#moved(location))}/${number}-${uuidV7(nowMs, random)}.metadata.json`
    await store.put(toPath(uri), Buffer.from(printJson(json)))
    return uri
  }

  #inJson(value: unknown): unknown {
    if (typeof value === 'string') return this.#moved(value)
    if (Array.isArray(value)) return value.map((own) => this.#inJson(own))
    const isPlain = typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
    return isPlain ? Object.fromEntries(Object.entries(value).map(([name, own]) => [name, this.#inJson(own)])) : value
  }

  /** @throws MR_LAKE_CORRUPT when it is not at its new place. */
  async #read(location: string): Promise<Buffer> {
    const path = toPath(this.#moved(location))
    try {
      return await this.#parts.store.read(path)
    } catch (cause) {
      if (!(cause instanceof MillraceError) || cause.code !== 'MR_OBJECT_MISSING') throw cause
      throw new MillraceError('MR_LAKE_CORRUPT', `${path} is missing`, {
        fix: `move or copy all of ${this.#move.from} to ${this.#move.to} first`,
        cause,
      })
    }
  }

  /** A new file in the directory in which the moved one lies. */
  async #write(location: string, ending: string, content: Buffer): Promise<{ readonly path: string; readonly sizeBytes: number }> {
    const { store, random, nowMs } = this.#parts
    const path = `${parentOf(this.#moved(location))}/${uuidV7(nowMs, random)}${ending}`
    await store.put(toPath(path), content)
    return { path, sizeBytes: content.length }
  }

  #rewrite(location: string, content: Buffer, change: (row: Row) => Promise<Row>): Promise<Buffer> {
    const { schema, meta, rows } = readContainer(content, location)
    const kept = [...meta].filter(([name]) => !name.startsWith('avro.'))
    return Promise.all(rows.map((row) => change(row as Row))).then((changed) =>
      writeContainer(schema, compileWriter(schema), changed, Object.fromEntries(kept), this.#parts.random),
    )
  }

  async #list(location: string): Promise<string> {
    const content = await this.#rewrite(location, await this.#read(location), async (row) => {
      const { path, sizeBytes } = await this.#manifest(row['manifest_path'] as string)
      return { ...row, manifest_path: path, manifest_length: sizeBytes }
    })
    return (await this.#write(location, '-list.avro', content)).path
  }

  #manifest(location: string): Promise<{ readonly path: string; readonly sizeBytes: number }> {
    const known = this.#manifests.get(location)
    if (known) return known
    const made = this.#read(location)
      .then((content) => this.#rewrite(location, content, (row) => this.#entry(row)))
      .then((content) => this.#write(location, '-m0.avro', content))
    this.#manifests.set(location, made)
    return made
  }

  async #entry(row: Row): Promise<Row> {
    const file = row['data_file'] as Row
    const about = file['referenced_data_file']
    const named = {
      ...file,
      file_path: this.#moved(file['file_path'] as string),
      ...(typeof about === 'string' ? { referenced_data_file: this.#moved(about) } : {}),
    }
    // Equality deletes name no files; those of a file that is gone already may be gone themselves.
    if (file['content'] !== 1 || row['status'] === DELETED) return { ...row, data_file: named }
    const { path, sizeBytes } = await this.#deletesOf(file)
    const [lower, upper] = ['lower_bounds', 'upper_bounds'].map((name) => this.#bounds(file[name]))
    return {
      ...row,
      data_file: {
        ...named,
        file_path: path,
        file_size_in_bytes: sizeBytes,
        lower_bounds: lower,
        upper_bounds: upper,
        split_offsets: null,
      },
    }
  }

  #deletesOf(file: Row): Promise<{ readonly path: string; readonly sizeBytes: number }> {
    const location = file['file_path'] as string
    const known = this.#deletes.get(location)
    if (known) return known
    const isPuffin = String(file['file_format']).toUpperCase() === 'PUFFIN'
    const made = this.#read(location).then(async (content) =>
      isPuffin
        ? this.#write(
            location,
            '-deletes.puffin',
            rewriteFooter(content, location, (footer) => this.#inJson(footer)),
          )
        : this.#write(location, '-deletes.parquet', await this.#parts.rewritePositions(content, this.#move)),
    )
    this.#deletes.set(location, made)
    return made
  }

  /** Bounds of the names of data files are names; those may be cut, and a cut upper one is the next higher text. */
  #bounds(pairs: AvroValue): AvroValue {
    if (!Array.isArray(pairs)) return pairs
    return (pairs as readonly Row[]).flatMap((pair) => {
      if (pair['key'] !== FILE_PATH_ID) return [pair]
      const before = Buffer.from(pair['value'] as Uint8Array).toString('utf8')
      const after = this.#moved(before)
      return after === before ? [] : [{ ...pair, value: Buffer.from(after) }]
    })
  }
}
