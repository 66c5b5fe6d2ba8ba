// Reads the files under data/ as typed rows. Nothing is cleaned here beyond what a till would print: the dirt in the
// real data is what the project is there to show.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'

const DATA = join(import.meta.dirname, '..', 'data')

/** One line of an invoice, as the shop sent it. Amounts in thousandths of a pound, so that they stay whole numbers. */
export interface OrderLine {
  readonly invoice: string
  /** Position in the invoice, from 1. */
  readonly line: number
  readonly product: string
  readonly description: string | undefined
  readonly quantity: number
  readonly unitPriceMills: number
  readonly placedMs: number
  readonly customer: string | undefined
  readonly country: string
}

export interface Click {
  readonly dayMs: number
  readonly session: number
  /** Position in the session, from 1. */
  readonly step: number
  readonly country: number
  readonly category: number
  readonly product: string
  readonly priceUsd: number
  readonly page: number
}

/** The months of the transactions, `2010-12` to `2011-12`. */
export function orderMonths(): string[] {
  return readdirSync(join(DATA, 'orders'))
    .filter((name) => name.endsWith('.csv.gz'))
    .map((name) => name.slice(0, 7))
    .sort()
}

/** The lines of a month, by time; lines of one moment in the order of the file. */
export function readOrders(month: string): OrderLine[] {
  const lineOf = new Map<string, number>()
  const timeOf = memo((text) => Date.parse(`${text.replace(' ', 'T')}Z`))
  const lines = readCsv(join('orders', `${month}.csv.gz`), ',').map((cells): OrderLine => {
    const invoice = cells[0]!
    const line = (lineOf.get(invoice) ?? 0) + 1
    lineOf.set(invoice, line)
    return {
      invoice,
      line,
      product: cells[1]!,
      description: cells[2] || undefined,
      quantity: Number(cells[3]),
      placedMs: timeOf(cells[4]!),
      unitPriceMills: Math.round(Number(cells[5]) * 1000),
      customer: cells[6] ? String(Number(cells[6])) : undefined,
      country: cells[7]!,
    }
  })
  return lines.sort((a, b) => a.placedMs - b.placedMs)
}

/** All clicks, by day, session and step. */
export function readClicks(): Click[] {
  return readCsv('clicks.csv.gz', ';').map((cells) => ({
    dayMs: Date.UTC(Number(cells[0]), Number(cells[1]) - 1, Number(cells[2])),
    step: Number(cells[3]),
    country: Number(cells[4]),
    session: Number(cells[5]),
    category: Number(cells[6]),
    product: cells[7]!,
    priceUsd: Number(cells[11]),
    page: Number(cells[13]),
  }))
}

/** ISO code of each country number of the clicks, where it has one. */
export function clickCountries(): Map<number, string> {
  const rows = readCsv('click_countries.csv', ',').filter((cells) => cells[2])
  return new Map(rows.map((cells) => [Number(cells[0]), cells[2]!]))
}

/** ISO code of each country name of the transactions; `ZZ` where the name is not a country. */
export function orderCountries(): Map<string, string> {
  return new Map(readCsv('country_names.csv', ',').map((cells) => [cells[0]!, cells[1]!]))
}

function memo(compute: (text: string) => number): (text: string) => number {
  const known = new Map<string, number>()
  return (text) => {
    const value = known.get(text) ?? compute(text)
    known.set(text, value)
    return value
  }
}

function readCsv(name: string, separator: ',' | ';'): string[][] {
  const bytes = readFileSync(join(DATA, name))
  const text = (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8')
  const [, ...lines] = text.split(/\r?\n/)
  return lines.filter((line) => line !== '').map((line) => (line.includes('"') ? quotedCells(line, separator) : line.split(separator)))
}

/** RFC 4180 without line breaks inside quotes: these files have none. */
function quotedCells(line: string, separator: string): string[] {
  const cells: string[] = []
  let from = 0
  while (from <= line.length) {
    const isQuoted = line[from] === '"'
    const end = isQuoted ? closingQuote(line, from + 1) + 1 : line.indexOf(separator, from)
    const cell = end === -1 ? line.slice(from) : line.slice(from, end)
    cells.push(isQuoted ? cell.slice(1, -1).replaceAll('""', '"') : cell)
    from = end === -1 ? line.length + 1 : end + 1
  }
  return cells
}

function closingQuote(line: string, from: number): number {
  const at = line.indexOf('"', from)
  if (at === -1) throw new Error(`a quote is not closed: ${line}`)
  return line[at + 1] === '"' ? closingQuote(line, at + 2) : at
}
