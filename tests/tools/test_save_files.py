"""What opens a waveform: the variables of its header, and the files for two viewers."""

from tools.save_files import Variable, declared, write_save_files

HEADER = b"""\
$timescale 1 ns $end
$scope module top $end
$var wire 1 ! clk $end
$scope module unit$3 $end
$var wire 34 ;$ $term_3 $end
$var reg 3 @$ state $end
$upscope $end
$var wire 8 A data $end
$upscope $end
$enddefinitions $end
$var wire 8 B not_one $end
"""


def test_the_header_is_read_to_its_end():
    assert list(declared(HEADER.splitlines(keepends=True))) == [
        Variable(("top", "clk"), 1),
        Variable(("top", "unit$3", "$term_3"), 34),
        Variable(("top", "unit$3", "state"), 3),
        Variable(("top", "data"), 8),
    ]


def test_both_files_have_the_variables_and_the_marker(tmp_path):
    chosen = {"": [Variable(("top", "clk"), 1)], "unit": [Variable(("top", "x"), 8, signed=True)]}
    gtkwave, surfer = write_save_files(tmp_path / "wave.vcd", chosen, tree="top", marker=70)
    text = gtkwave.read_text()
    assert f'[dumpfile] "{tmp_path / "wave.vcd"}"' in text and "[treeopen] top." in text
    assert "*-5.000000 70 " in text and "\n-unit\n" in text and "top.x[7:0]" in text
    assert surfer.read_text().splitlines() == [
        f"load_file {tmp_path / 'wave.vcd'}",
        "variable_add top.clk",
        "divider_add unit",
        "variable_add top.x",
        "cursor_set 70",
        "goto_time 70",
    ]
