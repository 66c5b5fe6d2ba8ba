// What Parquet files call their columns and the parts of nested ones, from their footers. Files never change, so that what was
// read once is kept.
import type { NamesIn } from '../lake/lease.ts'
import type { FileField } from '../lake/types.ts'
import type { Engine } from './duckdb.ts'
import { quoteText } from './sql-text.ts'

const KEPT_MAX = 20_000

export function fileNames(engine: Engine, keptMax = KEPT_MAX): NamesIn {
  const known = new Map<string, readonly FileField[]>()
  return async (paths) => {
    const found = new Map(paths.flatMap((path) => (known.has(path) ? [[path, known.get(path)!]] : [])))
    const missing = paths.filter((path) => !found.has(path))
    if (missing.length === 0) return found
    if (known.size + missing.length > keptMax) known.clear()
    for (const [path, fields] of await readFooters(engine, missing)) {
      known.set(path, fields)
      found.set(path, fields)
    }
    return found
  }
}

interface Element {
  readonly name: string
  readonly children: number
  readonly id: number | null
  readonly kind: 'list' | 'map' | 'other'
}

async function readFooters(engine: Engine, paths: readonly string[]): Promise<Map<string, readonly FileField[]>> {
  const session = await engine.session()
  try {
    const { rows } = await session.rows(
      `SELECT file_name, name, num_children, field_id, coalesce(converted_type, ''), coalesce(logical_type, '')
      FROM parquet_schema([${paths.map(quoteText).join(', ')}])`,
    )
    const elements = new Map<string, Element[]>()
    for (const [path, name, children, id, converted, logical] of rows) {
      const isList = converted === 'LIST' || String(logical).startsWith('List')
      const isMap = converted === 'MAP' || converted === 'MAP_KEY_VALUE' || String(logical).startsWith('Map')
      const element: Element = {
        name: String(name),
        children: Number(children ?? 0),
        id: id === null ? null : Number(id),
        kind: isList ? 'list' : isMap ? 'map' : 'other',
      }
      elements.set(String(path), [...(elements.get(String(path)) ?? []), element])
    }
    return new Map([...elements].map(([path, [root, ...rest]]) => [path, fieldsOf(rest[Symbol.iterator](), root!.children)]))
  } finally {
    session.close()
  }
}

/** The next `count` fields of a footer, whose elements stand parents first. */
function fieldsOf(rest: ArrayIterator<Element>, count: number): FileField[] {
  return Array.from({ length: count }, () => {
    const { name, children, id, kind } = rest.next().value!
    return { id, name, inner: innerOf(kind, fieldsOf(rest, children)) }
  })
}

/** Without the repeated group in between (Parquet's "Nested Types", with the rule for lists of older writers). */
function innerOf(kind: Element['kind'], children: readonly FileField[]): readonly FileField[] {
  const [repeated] = children
  if (kind === 'other' || !repeated) return children
  if (kind === 'map') return repeated.inner
  const isWrapped = repeated.inner.length === 1 && repeated.name !== 'array' && !repeated.name.endsWith('_tuple')
  return isWrapped ? repeated.inner : [repeated]
}
