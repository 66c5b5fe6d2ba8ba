// A figure of a cell for a checkpoint, which is JSON: that has no text for NaN and the infinities. `Number` reads it back.

export const savedFigure = (figure: number): number | string => (Number.isFinite(figure) ? figure : String(figure))
