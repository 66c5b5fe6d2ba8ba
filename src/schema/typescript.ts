// The type table of TypeScript: the text of row types in the generated millrace-env.d.ts. The names Decimal and Instant
// must be in scope there.
import type { Field, Inner, Kind, Shape, Type } from './type.ts'

const NAMES: Record<Exclude<Kind, 'enum' | 'struct' | 'list' | 'map'>, string> = {
  boolean: 'boolean',
  int: 'number',
  long: 'bigint',
  float: 'number',
  double: 'number',
  decimal: 'Decimal',
  date: 'string',
  time: 'string',
  timestamp: 'Instant',
  datetime: 'string',
  string: 'string',
  uuid: 'string',
  binary: 'Uint8Array',
  json: 'unknown',
}

/** The type of a value that is not null. */
export function toTypeScript(type: Type, indent = ''): string {
  switch (type.kind) {
    case 'enum':
      return type.values.length === 0 ? 'never' : type.values.map(quote).join(' | ')
    case 'struct':
      return shapeToTypeScript(type, indent)
    case 'list':
      return arrayOf(innerText(type.element, indent))
    case 'map':
      return `Record<string, ${innerText(type.value, indent)}>`
    default:
      return NAMES[type.kind]
  }
}

const arrayOf = (text: string): string => (/^\w+$/.test(text) ? `${text}[]` : `(${text})[]`)

function innerText({ type, optional }: Inner, indent: string): string {
  const text = toTypeScript(type, indent)
  return optional && text !== 'unknown' ? `${text} | null` : text
}

/** An object type of a row, `{ id: string; amount: Decimal | null }`, with documentation as comments. */
export function shapeToTypeScript(shape: Shape, indent = ''): string {
  if (shape.fields.length === 0) return '{}'
  return `{\n${shape.fields.map((field) => memberText(field, `${indent}  `)).join('')}${indent}}`
}

function memberText(field: Field, indent: string): string {
  const about = [field.doc, field.unit && `Unit: ${field.unit}.`].filter(Boolean).join(' ')
  const comment = about ? `${indent}/** ${about.replaceAll('*/', '* /').replaceAll(/\s+/g, ' ')} */\n` : ''
  return `${comment}${indent}${propertyName(field.name)}: ${innerText(field, indent)}\n`
}

/** A name as a key of an object type. */
export const propertyName = (name: string): string => (/^[A-Za-z_$][\w$]*$/.test(name) ? name : quote(name))

/** A literal of any text; line separators are legal in strings since ES2019. */
const quote = (text: string): string => `'${JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`
