"""Know a person again by SFace, a small neural network, where its weights are installed."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from emoclip_clinic.errors import EncoderError
from emoclip_clinic.video.faces import Box, crop_square

__all__ = ["SAME_PERSON", "SFace"]

Frame = npt.NDArray[np.uint8]

SAME_PERSON = 0.363
"""Cosine from which on two faces are one person's, as its authors found on LFW."""
SIDE_PX = 224
MARGIN = 0.5
"""Around the face, so that the detector finds it in the crop."""
MIN_SCORE, MAX_OVERLAP = 0.6, 0.3


class SFace:
    """SFace (Zhong et al. 2021, doi:10.1109/TIP.2020.3048632), on faces that YuNet aligns.

    Parameters
    ----------
    model_path
        `face_recognition_sface_2021dec.onnx` of the OpenCV Zoo.
    detector_path
        `face_detection_yunet_2023mar.onnx`: the eyes, nose and mouth that a face is aligned by.
    """

    def __init__(self, model_path: Path, detector_path: Path) -> None:
        size = (SIDE_PX, SIDE_PX)
        try:
            self._recogniser = cv2.FaceRecognizerSF.create(str(model_path), "")
            self._detector = cv2.FaceDetectorYN.create(
                str(detector_path), "", size, MIN_SCORE, MAX_OVERLAP
            )
        except cv2.error as error:
            raise EncoderError(
                "the weights sface are damaged. Run 'emoclip-clinic weights verify sface', then "
                "fetch or import them again."
            ) from error

    def embed(self, frame: Frame, box: Box) -> npt.NDArray[np.float64] | None:
        """Embed the face in a box of an RGB frame: (128,), of length 1; None if it is not clear."""
        crop = cv2.cvtColor(crop_square(frame, box, MARGIN, SIDE_PX), cv2.COLOR_RGB2BGR)
        _, faces = self._detector.detect(crop)
        if faces is None:
            return None
        biggest = max(faces, key=lambda face: float(face[2] * face[3]))
        feature = self._recogniser.feature(self._recogniser.alignCrop(crop, biggest)).ravel()
        return np.asarray(feature / np.linalg.norm(feature), np.float64)
