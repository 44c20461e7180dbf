"""What the report shows of rocks in images from the ground: pictures, charts and sentences, all of the record.

Every number is read from the validation's record and samples, and from the sizes of rocks; nothing is computed here.
"""
