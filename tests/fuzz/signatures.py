"""Types of the primitives' operands and results, for generating programs.

    I integer   B Boolean   C colour   L pair (location or vector)   G grid   X indices   O object   S set of objects
    N set of integers   T tuple of integers   V tuple of grids   W tuple of pairs   M set of indices sets
    Z tuple of pairs of grids   P patch (X or O)   E element (O or G)   Q piece (G, X or O)
    K any container   A anything

``f(O>I)`` is a function of an object with an integer result.
"""

from __future__ import annotations

SIGNATURES = """
identity A:A
add I I:I; L L:L; L I:L; I L:L
subtract I I:I; L L:L; L I:L
multiply I I:I; L L:L; L I:L
divide I I:I; L L:L; L I:L
invert I:I; L:L
double I:I; L:L
halve I:I; L:L
increment I:I; L:L
decrement I:I; L:L
crement I:I; L:L
sign I:I; L:L
even I:B
positive I:B
greater I I:B
equality A A:B
flip B:B
both B B:B
either B B:B
toivec I:L
tojvec I:L
astuple I I:L
interval I I I:T
maximum T:I; N:I
minimum T:I; N:I
contained I N:B; L X:B; O S:B; I T:B
size K:I
combine X X:X; O O:O; S S:S; N N:N; T T:T; G G:G; W W:W
intersection X X:X; O O:O; S S:S; N N:N
difference X X:X; O O:O; S S:S; T T:T
dedupe T:T; G:G; W:W
order S f(O>I):V; T f(I>I):T; X f(L>I):W; G f(T>I):G
repeat I I:T; L I:W; G I:V
merge S:O; M:X; V:G
valmax S f(O>I):I; T f(I>I):I; X f(L>I):I
valmin S f(O>I):I; N f(I>I):I
argmax S f(O>I):O; V f(G>I):G; X f(L>I):L
argmin S f(O>I):O; V f(G>I):G; W f(L>I):L
mostcommon T:I; W:L
leastcommon T:I; W:L
initset I:N; L:X; O:S; X:M
insert I N:N; L X:X; O S:S
remove I N:N; L X:X; O S:S; I T:T
other N I:I; S O:O; T I:I
sfilter S f(O>B):S; X f(L>B):X; T f(I>B):T; O f(A>B):O; G f(T>B):G
mfilter S f(O>B):O; M f(X>B):X
extract S f(O>B):O; X f(L>B):L; V f(G>B):G
totuple X:W; N:T
first X:L; S:O; V:G; T:I; W:L; G:T; M:X
last X:L; S:O; V:G; T:I; W:L; G:T
product N N:X; T T:X
pair T T:W; V V:Z
a_mr Z:A
branch B A A:A; B G G:G; B O O:O; B I I:I
sizefilter S I:S; M I:M
apply f(O>O) S:S; f(L>L) X:X; f(G>G) V:V; f(I>I) T:T; f(O>X) S:M; f(O>I) S:N; f(O>L) S:X; f(L>X) X:M; f(T>T) G:G
mapply f(O>O) S:O; f(L>X) X:X; f(O>X) S:X; f(L>O) X:O; f(G>G) V:G
papply f(I,I>I) T T:T; f(L,L>L) W W:W; f(G,G>G) V V:V
mpapply f(L,L>X) W W:X
prapply f(I,I>I) N N:N; f(L,L>X) X X:M; f(O,L>O) S X:S
mostcolor E:C
leastcolor E:C
palette E:N
numcolors E:I
color O:C
colorcount E C:I
colorfilter S C:S
height Q:I
width Q:I
shape Q:L
portrait Q:B
square Q:B
vline P:B
hline P:B
asindices G:X
ofcolor G C:X
asobject G:O
toindices P:X
recolor C P:O
toobject P G:O
ulcorner P:L
urcorner P:L
llcorner P:L
lrcorner P:L
uppermost P:I
lowermost P:I
leftmost P:I
rightmost P:I
center P:L
centerofmass P:L
shift O L:O; X L:X
normalize O:O; X:X
dneighbors L:X
ineighbors L:X
neighbors L:X
corners P:X
backdrop P:X
delta P:X
box P:X
inbox P:X
outbox P:X
hmatching P P:B
vmatching P P:B
manhattan P P:I
adjacent P P:B
bordering P G:B
position P P:L
gravitate P P:L
connect L L:X
shoot L L:X
vfrontier L:X
hfrontier L:X
hperiod O:I
vperiod O:I
objects G B B B:S
partition G:S
fgpartition G:S
occurrences G O:X
frontiers G:S
rot90 G:G
rot180 G:G
rot270 G:G
hmirror G:G; O:O; X:X
vmirror G:G; O:O; X:X
dmirror G:G; O:O; X:X
cmirror G:G; O:O; X:X
crop G L L:G
subgrid P G:G
fill G C P:G
paint G O:G
underfill G C P:G
underpaint G O:G
cover G P:G
move G O L:G
hupscale G F:G
vupscale G F:G
upscale G F:G; O F:O
downscale G F:G
hconcat G G:G
vconcat G G:G
hsplit G F:V
vsplit G F:V
cellwise G G C:G
replace G C C:G
switch G C C:G
index G L:C
canvas C D:G
trim G:G
tophalf G:G
bottomhalf G:G
lefthalf G:G
righthalf G:G
compress G:G
second X:L; S:O; V:G; T:I
get_nth_t T R:I; V R:G; W R:L
get_nth_f S R:O; X R:L; N R:I
difference_tuple T T:T; W W:W
p_g G:T
p_o O:T
p_f O:N
o_g G H:S
mir_rot_t G H:G
mir_rot_f O H:O; X H:X
corner P H:L
col_row P H:I
f_ofcolor G C:X
get_rank N R:I; T R:I
get_arg_rank S f(O>I) R:O; V f(G>I) R:G
get_val_rank S f(O>I) R:I
get_color_rank E R:C
get_common_rank T R:I
"""
"""Besides: F a factor, D dimensions, H a kind, R a rank: integers and pairs of the size that makes sense."""

WIDER = {"P": "XO", "E": "OG", "Q": "GXO", "K": "XOSNTVGWM", "A": "IBCLGXOSNTVWMZA"}
"""What may stand where a wider type is asked for."""


def parse() -> list[tuple[str, tuple[str, ...], str]]:
    """Return (primitive, operand types, result type) for each line and alternative."""
    rows = []
    for line in SIGNATURES.strip().splitlines():
        name, _, rest = line.partition(" ")
        for alternative in rest.split(";"):
            operands, _, result = alternative.strip().rpartition(":")
            rows.append((name, tuple(operands.split()), result))
    return rows
