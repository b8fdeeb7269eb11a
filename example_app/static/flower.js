// The drawing: one unit is one centimetre, so a petal path of width and length 1 is scaled by its measurements.

const parts = document.querySelectorAll("#flower [data-part]");

export function draw(measurements) {
  for (const part of parts) {
    const width = measurements[`${part.dataset.part}_width`];
    const length = measurements[`${part.dataset.part}_length`];
    part.style.transform = `scale(${width}, ${length})`;
  }
}
