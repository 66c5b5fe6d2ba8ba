// Partition specs: from the rules of a definition, their types, and partition values from text. A table keeps every spec
// it ever had, because files stay in the one they were written under (Iceberg spec, "Partitioning").
import { MillraceError } from '../core/errors.ts'
import type { PartitionRule } from '../define/manifest.ts'
import { fieldById } from './nested-type.ts'
import type { LakePartitionField, LakeSchema, LakeSpec, PartitionValue } from './types.ts'
import { flatType } from './value/iceberg-type.ts'
import { valueFromText } from './value/text-value.ts'
import { checkTransform, resultType, transformText } from './value/transform.ts'

/** Ids of partition fields begin above those of columns. */
export const FIRST_PARTITION_ID = 1000

/**
 * The spec of `rules`; equal fields of earlier specs keep their ids. Answers an earlier spec when it is the same.
 * @throws MR_LAKE_SPEC for a column that is missing, of the wrong type, or a name that a column has already.
 */
export function buildSpec(
  rules: readonly PartitionRule[],
  schema: LakeSchema,
  earlier: readonly LakeSpec[],
  lastFieldId: number,
): { spec: LakeSpec; lastFieldId: number } {
  let last = lastFieldId
  const known = earlier.flatMap((spec) => spec.fields)
  const fields = rules.map((rule): LakePartitionField => {
    const source = schema.fields.find((field) => field.name === rule.column)
    if (!source) throw new MillraceError('MR_LAKE_SPEC', `the table is partitioned by ${rule.column}, which is not one of its columns`)
    checkTransform(rule, flatType(source.type))
    const wanted = { sourceId: source.id, name: fieldName(rule, schema), transform: transformText(rule) }
    const same = known.find(
      (field) => field.sourceId === wanted.sourceId && field.transform === wanted.transform && field.name === wanted.name,
    )
    return same ?? { ...wanted, fieldId: ++last }
  })
  const twice = fields.find((field, i) => fields.findIndex((other) => other.name === field.name) !== i)
  if (twice) throw new MillraceError('MR_LAKE_SPEC', `the table is partitioned by ${twice.name} twice`)
  const same = earlier.find((spec) => JSON.stringify(spec.fields) === JSON.stringify(fields))
  const id = earlier.reduce((most, spec) => Math.max(most, spec.id + 1), 0)
  return { spec: same ?? { id, fields }, lastFieldId: last }
}

function fieldName(rule: PartitionRule, schema: LakeSchema): string {
  if (rule.transform === 'identity') return rule.column
  const name = `${rule.column}_${rule.transform}`
  if (!schema.fields.some((field) => field.name === name)) return name
  throw new MillraceError('MR_LAKE_SPEC', `the partition field ${name} would have the name of a column`, {
    fix: `rename the column ${name}`,
  })
}

/** Iceberg types of the values of a spec's fields. */
export const partitionTypes = (spec: LakeSpec, schemas: readonly LakeSchema[]): string[] =>
  spec.fields.map((field) => {
    const source = fieldById(schemas, field.sourceId)
    if (!source)
      throw new MillraceError('MR_LAKE_CORRUPT', `the partition field ${field.name} has no column: none ever had the id ${field.sourceId}`)
    return resultType(field.transform, flatType(source.type))
  })

/**
 * The partition of a file from text, by partition field name: integers for year, month (since 1970), hour and bucket; a
 * date or its days since 1970 for day; for identity the text that DuckDB prints with TimeZone = 'UTC', or the integer that
 * Iceberg stores (days, microseconds). Null is null.
 * @throws MR_LAKE_SPEC when a value is missing or is not of its type.
 */
export function partitionFromText(
  table: { readonly schemas: readonly LakeSchema[] },
  spec: LakeSpec,
  texts: Readonly<Record<string, string | null>>,
): Record<string, PartitionValue> {
  const types = partitionTypes(spec, table.schemas)
  return Object.fromEntries(
    spec.fields.map((field, i) => {
      const text = texts[field.name]
      if (text === null) return [field.name, null]
      const value = text === undefined ? undefined : valueFromText(types[i]!, text)
      if (value === undefined)
        throw new MillraceError('MR_LAKE_SPEC', `the partition value ${JSON.stringify(text)} of ${field.name} is not a ${types[i]}`)
      return [field.name, value]
    }),
  )
}
