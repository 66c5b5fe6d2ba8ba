// Figures, ages and times as text (DESIGN section 7): the one place where a number becomes words. Pure; the components
// Num, Age and Time draw what these return. Decimals stay strings: they are grouped digit by digit, never through a double.
import type { Cell } from '../../../src/serve/answers/admin.ts'

const MINUS = '\u2212'
const parts = new Intl.NumberFormat().formatToParts(1234567.8)
const GROUP = parts.find((part) => part.type === 'group')?.value ?? ','
const POINT = parts.find((part) => part.type === 'decimal')?.value ?? '.'
const signed = (text: string): string => text.replace(/^-/, MINUS)

/** 1631906 as '1,631,906'. */
export function formatCount(value: number): string {
  return signed(new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 }).format(value))
}

/** Three significant digits for trees and navigation: '1.63 M', '541 k'; exact below 10,000. */
export function formatShort(value: number): string {
  if (Math.abs(value) < 1e6) return formatCount(value)
  const [unit, size] = Math.abs(value) >= 1e9 ? ['G', 1e9] : ['M', 1e6]
  return `${signed(new Intl.NumberFormat(undefined, { maximumSignificantDigits: 3 }).format(value / (size as number)))} ${unit}`
}

/** A plain number with at most `digits` after the point. */
export function formatNumber(value: number, digits = 6): string {
  return signed(new Intl.NumberFormat(undefined, { maximumFractionDigits: digits }).format(value))
}

/** Decimal text, grouped, with all its digits: '-11062.06' as '−11,062.06'. Text that is no decimal comes back as it is. */
export function formatDecimal(text: string): string {
  const match = /^([+-]?)(\d+)(?:\.(\d+))?$/.exec(text)
  if (!match) return text
  const whole = match[2]!.replace(/\B(?=(\d{3})+$)/g, GROUP)
  const sign = match[1] === '-' ? MINUS : match[1]!
  return `${sign}${whole}${match[3] === undefined ? '' : POINT + match[3]}`
}

/** Bytes in decimal units: '36 KB', '2.1 GB'. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB', 'PB']
  let value = bytes
  let unit = 0
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000
    unit++
  }
  return `${formatNumber(value, value < 10 && unit > 0 ? 1 : 0)} ${units[unit]}`
}

/** A share of 0 to 1: one digit, up to three near 100 ('99.992 %'); whole shares without a point. */
export function formatShare(share: number): string {
  const percent = share * 100
  if (percent > 99 && percent < 100) return `${formatNumber(Math.min(percent, 99.999), percent > 99.9 ? 3 : 2)} %`
  return `${formatNumber(percent, 1)} %`
}

export const formatRate = (perSecond: number): string => `${formatNumber(perSecond, perSecond < 1 ? 2 : perSecond < 100 ? 1 : 0)} /s`

/**
 * A length of time in at most two units ('1 h 36 min', '2 d 3 h' from 48 h on), one with `short`; '0.2 s' below a second.
 * `measured` keeps a digit below a minute ('16.3 s', '4.0 s'); `fine` is that, with milliseconds below a second ('41 ms').
 */
export function formatDuration(ms: number, how: 'long' | 'short' | 'fine' | 'measured' = 'long'): string {
  const value = Math.max(0, ms)
  if (how === 'fine' && value < 1000) return `${formatNumber(value, value < 10 ? 1 : 0)} ms`
  if (value < 60_000 && (how === 'fine' || how === 'measured')) return `${(Math.round(value / 100) / 10).toFixed(1).replace('.', POINT)} s`
  if (value < 10_000)
    return value < 1000 || how !== 'short' ? `${formatNumber(Math.round(value / 100) / 10, 1)} s` : `${Math.round(value / 1000)} s`
  const units: [string, number][] = [
    ...(value >= 2 * 86_400_000 ? ([['d', 86_400_000]] as [string, number][]) : []),
    ['h', 3_600_000],
    ['min', 60_000],
    ['s', 1000],
  ]
  const first = units.findIndex(([, size]) => value >= size)
  const [name, size] = units[first]!
  const next = units[first + 1]
  const whole = Math.floor(value / size)
  const rest = next ? Math.floor((value - whole * size) / next[1]) : 0
  if (how === 'short' || rest === 0 || !next) return `${whole} ${name}`
  return `${whole} ${name} ${rest} ${next[0]}`
}

/** An age for a cell: whole seconds from one second on, so that it does not flicker. */
export function formatAge(ms: number): string {
  return ms >= 1000 && ms < 10_000 ? `${Math.floor(ms / 1000)} s` : formatDuration(ms)
}

/** A ticking age whose second number is two digits wide (figure space), so that a right-aligned one does not move at 10. */
export const steady = (age: string): string => age.replace(/ (\d)(?= \w+$)/, ' \u2007$1')

export type Zone = 'UTC' | 'local'

const pad = (value: number, width = 2): string => String(value).padStart(width, '0')

function fields(ms: number, zone: Zone): { date: string; time: string; rest: string } {
  const at = new Date(zone === 'UTC' ? ms : ms - new Date(ms).getTimezoneOffset() * 60_000)
  return {
    date: `${pad(at.getUTCFullYear(), 4)}-${pad(at.getUTCMonth() + 1)}-${pad(at.getUTCDate())}`,
    time: `${pad(at.getUTCHours())}:${pad(at.getUTCMinutes())}:${pad(at.getUTCSeconds())}`,
    rest: pad(at.getUTCMilliseconds(), 3),
  }
}

/** '12:49:17' today, else '2026-11-18 09:04'. `how`: `clock` always the time of day, `minute` without seconds, `milli` with them. */
export function formatTime(ms: number, nowMs: number, zone: Zone, how: 'usual' | 'clock' | 'minute' | 'milli' = 'usual'): string {
  const at = fields(ms, zone)
  if (how === 'clock') return at.time
  if (how === 'milli') return `${at.time}.${at.rest}`
  const today = at.date === fields(nowMs, zone).date
  if (how === 'minute') return today ? at.time.slice(0, 5) : `${at.date.slice(5)} ${at.time.slice(0, 5)}`
  return today ? at.time : `${at.date} ${at.time.slice(0, 5)}`
}

/** Everything that is known of an instant, for hover and focus. */
export function formatInstant(ms: number, zone: Zone): string {
  const at = fields(ms, zone)
  return `${at.date} ${at.time}.${at.rest} ${zone === 'UTC' ? 'UTC' : zoneName()}`
}

export function zoneName(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone
}

/** Family of a column's type, whatever the case and dialect: it chooses alignment and form. */
export function familyOf(type: string): 'number' | 'decimal' | 'instant' | 'date' | 'boolean' | 'text' {
  const name = type.toLowerCase()
  if (/^(decimal|numeric)/.test(name)) return 'decimal'
  if (/^u?(tiny|small|big|huge)?int(eger)?\d*\b|^long|^double|^float|^real/.test(name)) return 'number'
  if (/^(timestamp|datetime)/.test(name)) return 'instant'
  if (/^date/.test(name)) return 'date'
  if (/^bool/.test(name)) return 'boolean'
  return 'text'
}

/** Where a value stands on an axis of time that is shown in `zone`: dates and datetimes, which have none, at what they read there. */
export function axisMs(text: string, zone: Zone): number {
  if (text.endsWith('Z')) return Date.parse(text)
  return Date.parse(`${text.length === 10 ? `${text}T00:00:00` : text}${zone === 'UTC' ? 'Z' : ''}`)
}

/** A value of data in a grid. Instants lose their zone letter and zeros after the second; full text is in the title. */
export function formatCell(value: Cell, type: string): string {
  if (value === null) return 'null'
  const family = familyOf(type)
  if (family === 'decimal' || family === 'number') return typeof value === 'number' ? formatNumber(value) : formatDecimal(String(value))
  if (family === 'instant')
    return String(value)
      .replace('T', ' ')
      .replace(/(\.\d*?)0+(?=Z|$)/, '$1')
      .replace(/\.(?=Z|$)/, '')
      .replace(/Z$/, '')
  return String(value)
}

/** The family's short name beside a column: 'decimal(38, 2)' as 'decimal'. */
export const shortType = (type: string): string =>
  type.toLowerCase().replace(/\(.*/, '').replace('varchar', 'string').replace('bigint', 'long')

export const plural = (count: number, one: string, many = `${one}s`): string => `${formatCount(count)} ${count === 1 ? one : many}`
