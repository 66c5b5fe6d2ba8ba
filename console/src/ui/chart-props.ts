// What a chart is made of; shared by the chart on the page and the drawing that is loaded later.

export interface ChartSeries {
  readonly name: string
  /** Token: '--chart-1'. */
  readonly color: string
  readonly values: readonly (number | null)[]
  readonly dashed?: boolean
  readonly area?: boolean
}

export interface ChartProps {
  readonly kind: 'line' | 'bar'
  readonly height: number
  readonly x: { readonly kind: 'time'; readonly values: readonly number[] } | { readonly kind: 'words'; readonly values: readonly string[] }
  readonly series: readonly ChartSeries[]
  /** The points are days: axis and tip show dates. */
  readonly days?: boolean
  /** Charts of one key move their cursors together. */
  readonly sync?: string
}
