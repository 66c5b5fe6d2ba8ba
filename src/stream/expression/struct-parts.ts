// Members of structs out of their JSON text, as columns: only those that are read, all in one pass over the text.
import { MillraceError } from '../../core/errors.ts'
import { type BytesColumn, type Column, selectColumn } from '../../schema/batch.ts'
import { type Nested, newNested, type StructVector, type Vector } from '../../schema/scan/nested.ts'
import { type Field, isNested, type StructType } from '../../schema/type.ts'

export class StructParts {
  readonly #type: StructType
  readonly #wanted: (readonly string[])[] = []
  #reader: { readonly nested: Nested; readonly type: StructType } | null = null

  constructor(type: StructType) {
    this.#type = type
  }

  /** The place of the member's column in what `read` answers. All are wanted before the first is read. */
  want(path: readonly string[]): number {
    return this.#wanted.push(path) - 1
  }

  /** Columns of the rows that are given, in their order. Nested members stay text. */
  read(column: BytesColumn, rows: Int32Array | null, count: number): readonly Column[] {
    const type = this.#reader?.type ?? wantedOf(this.#type, this.#wanted)
    this.#reader ??= { nested: newNested(type, true), type }
    const texts = rows === null ? column : (selectColumn(column, rows, count) as BytesColumn)
    const whole = this.#reader.nested.decode(texts, count)
    return this.#wanted.map((path) => columnAt(whole, type, path))
  }
}

/** The type without other members; what rows of an older shape do not have is null. */
function wantedOf({ fields }: StructType, paths: readonly (readonly string[])[]): StructType {
  const kept = fields.flatMap((field): readonly Field[] => {
    const inner = paths.filter(([name]) => name === field.name).map(([, ...rest]) => rest)
    if (inner.length === 0) return []
    if (field.type.kind === 'struct' && inner.every(({ length }) => length > 0))
      return [{ name: field.name, type: wantedOf(field.type, inner), optional: true }]
    return [{ name: field.name, type: isNested(field.type) ? ({ kind: 'json' } as const) : field.type, optional: true }]
  })
  return { kind: 'struct', fields: kept }
}

function columnAt(whole: Vector, type: StructType, path: readonly string[]): Column {
  let at: Vector = whole
  let within: StructType = type
  for (const [depth, name] of path.entries()) {
    const index = within.fields.findIndex((field) => field.name === name)
    at = (at as StructVector).members[index]!
    const inner = within.fields[index]!.type
    if (inner.kind === 'struct') within = inner
    else if (depth < path.length - 1) throw new MillraceError('MR_ASSERT', 'cannot be: a member of what is no struct')
  }
  return at as Column
}
