// Where names go beside their marks so that none lies on another. Only rectangles; it draws nothing.

const GAP = 3;
/** Places around a mark, best first: where the nearest point of the label is, by dx and dy. */
const AROUND = [
  [1, 0],
  [-1, 0],
  [0, -1],
  [0, 1],
  [1, -1],
  [1, 1],
  [-1, -1],
  [-1, 1],
];
/** How far away a name may go, with a line back to its mark. */
const DISTANCES = [0, 12, 26, 42, 60];

const overlaps = (a, b) =>
  a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;

function placed({ x, y, radius, width, height }, [dx, dy], distance) {
  const reach = radius + GAP + distance;
  // On a diagonal the corner of the label is on the circle.
  const along = dx && dy ? Math.SQRT1_2 : 1;
  return {
    x: x + dx * reach * along - (dx < 0 ? width : dx === 0 ? width / 2 : 0),
    y: y + dy * reach * along - (dy < 0 ? height : dy === 0 ? height / 2 : 0),
    width,
    height,
    distance,
  };
}

/**
 * Lays out labels of `{x, y, radius, width, height}` in an area; each gets `{x, y, distance}` of
 * its upper left corner, or null where there is no room at all.
 */
export function layOut(labels, area) {
  const taken = labels.map(({ x, y, radius }) => ({
    x: x - radius,
    y: y - radius,
    width: 2 * radius,
    height: 2 * radius,
  }));
  const inside = (box) =>
    box.x >= 0 && box.y >= 0 && box.x + box.width <= area.width && box.y + box.height <= area.height;
  return labels.map((label) => {
    for (const distance of DISTANCES) {
      for (const direction of AROUND) {
        const box = placed(label, direction, distance);
        if (inside(box) && !taken.some((other) => overlaps(box, other))) {
          taken.push(box);
          return box;
        }
      }
    }
    return null;
  });
}
