// Parameters of endpoints: text of a path or query string to typed values, with every fault named.
import { MillraceError } from '../core/errors.ts'
import type { SqlValue } from '../engine/duckdb.ts'
import type { Field, Shape } from '../schema/type.ts'

const PATTERNS: Partial<Record<Field['type']['kind'], RegExp>> = {
  date: /^\d{4}-\d{2}-\d{2}$/,
  uuid: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i,
  decimal: /^-?\d+(\.\d+)?$/,
  datetime: /^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?)?$/,
  timestamp: /^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:?\d{2})?)?$/,
  time: /^\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?$/,
}

/** Values by name. @throws MR_SQL_PARAMETER for a missing, unknown or ill-formed one. */
export function readParams(
  shape: Shape,
  given: Readonly<Record<string, string | undefined>>,
  reserved: readonly string[],
): Record<string, SqlValue> {
  const unknown = Object.keys(given).find((name) => !reserved.includes(name) && !shape.fields.some((field) => field.name === name))
  if (unknown)
    throw new MillraceError('MR_SQL_PARAMETER', `there is no parameter "${unknown}"`, {
      fix: `parameters: ${shape.fields.map((field) => field.name).join(', ') || 'none'}`,
    })
  return Object.fromEntries(shape.fields.map((field) => [field.name, readParam(field, given[field.name])]))
}

function readParam(field: Field, text: string | undefined): SqlValue {
  if (text === undefined) {
    if (field.optional) return null
    throw new MillraceError('MR_SQL_PARAMETER', `the parameter "${field.name}" is missing`, { fix: `give it as a ${field.type.kind}` })
  }
  const { type } = field
  const wrong = (): never => {
    throw new MillraceError('MR_SQL_PARAMETER', `"${text}" is not a ${type.kind} for "${field.name}"`, {
      fix: type.kind === 'enum' ? `use one of ${type.values.join(', ')}` : `send a ${type.kind}`,
    })
  }
  switch (type.kind) {
    case 'boolean':
      return text === 'true' ? true : text === 'false' ? false : wrong()
    case 'int':
      return /^-?\d{1,10}$/.test(text) && Math.abs(Number(text)) < 2 ** 31 ? Number(text) : wrong()
    case 'long':
      return /^-?\d{1,19}$/.test(text) ? BigInt(text) : wrong()
    case 'float':
    case 'double':
      return text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : wrong()
    case 'enum':
      return type.values.includes(text) ? text : wrong()
    default:
      return (PATTERNS[type.kind]?.test(text) ?? true) ? text : wrong()
  }
}
