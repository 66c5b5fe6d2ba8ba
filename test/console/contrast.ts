// Contrast of two colours by WCAG 2 (https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio), and a page's texts on their grounds.
import type { Page } from 'playwright-core'

/** Red, green, blue 0 to 255; opacity 0 to 1. */
export type Colour = readonly [number, number, number, number]

/** `#rrggbb`, `rgb(...)`, `rgba(...)`; null for anything else. */
export function parseColour(text: string): Colour | null {
  const hex = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(text)
  if (hex) return [Number.parseInt(hex[1]!, 16), Number.parseInt(hex[2]!, 16), Number.parseInt(hex[3]!, 16), 1]
  const numbers = /^rgba?\(([^)]+)\)$/
    .exec(text)?.[1]
    ?.split(/[\s,/]+/)
    .map(Number)
  return numbers === undefined || numbers.length < 3 ? null : [numbers[0]!, numbers[1]!, numbers[2]!, numbers[3] ?? 1]
}

/** `top` over an opaque `ground`. */
export const over = (top: Colour, ground: Colour): Colour =>
  [0, 1, 2].map((at) => top[at]! * top[3] + ground[at]! * (1 - top[3])).concat(1) as unknown as Colour

function luminance(colour: Colour): number {
  const [red, green, blue] = colour
    .slice(0, 3)
    .map((value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4))
  return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!
}

export function contrast(one: Colour, other: Colour): number {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b)
  return (high! + 0.05) / (low! + 0.05)
}

interface Seen {
  readonly text: string
  readonly colour: string
  /** Grounds from the text's own element outwards. */
  readonly grounds: readonly string[]
  readonly where: string
}

// Runs in the page: every visible text with its colour and the grounds below it. Plain text, because the test's TypeScript
// knows no DOM.
const COLLECT = `(() => {
  const seen = []
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const text = node.textContent.trim()
    const parent = node.parentElement
    if (text === '' || parent === null || parent.closest('[disabled], .sr, .skip, .late-show, svg, script, style')) continue
    const style = getComputedStyle(parent)
    if (style.visibility !== 'visible' || parent.getClientRects().length === 0) continue
    const grounds = []
    for (let at = parent; at; at = at.parentElement) grounds.push(getComputedStyle(at).backgroundColor)
    seen.push({ text: text.slice(0, 40), colour: style.color, grounds, where: parent.tagName.toLowerCase() + '.' + parent.className })
  }
  return seen
})()`

/** Texts of the page whose contrast is under 4.5, as sentences; and how many texts were looked at. */
export async function weakTexts(page: Page): Promise<{ readonly weak: readonly string[]; readonly looked: number }> {
  const seen = (await page.evaluate(COLLECT)) as readonly Seen[]
  const weak = seen.flatMap((one) => {
    const layers = one.grounds.map(parseColour).filter((colour) => colour !== null)
    const ground = layers.reduceRight<Colour>((below, layer) => over(layer, below), [255, 255, 255, 1])
    const ratio = contrast(over(parseColour(one.colour) ?? [0, 0, 0, 1], ground), ground)
    return ratio >= 4.5
      ? []
      : [`"${one.text}" in ${one.where}: ${ratio.toFixed(2)} (${one.colour} on ${ground.slice(0, 3).map(Math.round)})`]
  })
  return { weak: [...new Set(weak)], looked: seen.length }
}
