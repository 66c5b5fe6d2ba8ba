// Printing: colours only on a terminal, tables, JSON when asked, errors on standard error with code and fix. The only place
// that knows about terminals.
import { styleText } from 'node:util'
import { asMillraceError, type MillraceError } from '../core/errors.ts'

export interface Output {
  readonly json: boolean
  /** A line for people; nothing with --json. */
  line(text?: string): void
  /** The answer as data, printed with --json only. */
  data(value: unknown): void
  progress(text: string): void
  warn(text: string): void
}

type Style = Parameters<typeof styleText>[0]

export const paint = (style: Style, text: string): string =>
  process.stdout.isTTY && !process.env['NO_COLOR'] ? styleText(style, text) : text

export function openOutput(options: { json?: boolean }): Output {
  const json = options.json ?? false
  return {
    json,
    line: (text = '') => {
      if (!json) console.log(text)
    },
    data: (value) => {
      if (json) console.log(JSON.stringify(value, (_key, inner) => (typeof inner === 'bigint' ? inner.toString() : inner)))
    },
    progress: (text) => {
      if (!json) process.stderr.write(`${text}\n`)
    },
    warn: (text) => process.stderr.write(`${process.stderr.isTTY ? styleText('yellow', text) : text}\n`),
  }
}

const textOf = (value: unknown): string => (typeof value === 'object' ? JSON.stringify(value) : String(value))

/** Columns aligned by width; numbers to the right; `absent` stands for null; lists and objects are JSON. */
export function printTable(headers: readonly string[], rows: readonly (readonly unknown[])[], absent = 'null'): string {
  const cells = rows.map((row) => row.map((value) => (value === null || value === undefined ? absent : textOf(value))))
  const widths = headers.map((header, index) => Math.max(header.length, ...cells.map((row) => row[index]?.length ?? 0)))
  const isNumber = headers.map(
    (_, index) => rows.length > 0 && rows.every((row) => row[index] === null || /^-?[\d.]+$/.test(String(row[index]))),
  )
  const lineOf = (row: readonly string[]): string =>
    row
      .map((cell, index) => (isNumber[index] ? cell.padStart(widths[index]!) : cell.padEnd(widths[index]!)))
      .join('  ')
      .trimEnd()
  return [paint('bold', lineOf(headers)), paint('dim', widths.map((width) => '-'.repeat(width)).join('  ')), ...cells.map(lineOf)].join(
    '\n',
  )
}

export function printError(error: MillraceError): string {
  const at = error.at ? `  ${error.at}` : ''
  const fix = error.fix ? `\n  fix: ${error.fix}` : ''
  return `${process.stderr.isTTY ? styleText('red', error.code) : error.code}${at}  ${error.message}${fix}`
}

/** Prints and answers the exit status: 2 for a misused command line, 1 for everything else. */
export function reportError(cause: unknown, json: boolean): number {
  const error = asMillraceError(cause)
  if (json) process.stderr.write(`${JSON.stringify({ code: error.code, message: error.message, fix: error.fix, at: error.at })}\n`)
  else process.stderr.write(`${printError(error)}\n`)
  if (error.code === 'MR_INTERNAL' && process.env['MILLRACE_LOG'] === 'debug' && error.cause instanceof Error)
    process.stderr.write(`${error.cause.stack}\n`)
  return error.code === 'MR_USAGE' ? 2 : 1
}
